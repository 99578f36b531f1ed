namespace Lavt.Nn.Parallel;

/// <summary>Another member of a group of devices failed or cannot be reached.</summary>
public sealed class CommunicationException : Exception
{
    /// <summary>An error with a message for the user.</summary>
    public CommunicationException(string message)
        : base(message)
    {
    }

    /// <summary>An error with its cause.</summary>
    public CommunicationException(string message, Exception inner)
        : base(message, inner)
    {
    }
}

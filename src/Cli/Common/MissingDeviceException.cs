namespace Lavt.Cli;

/// <summary>A device was asked for that is not there.</summary>
/// <param name="message">Names the flag and says what to do.</param>
internal sealed class MissingDeviceException(string message) : Exception(message);

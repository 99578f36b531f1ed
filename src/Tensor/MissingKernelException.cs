namespace Lavt.Tensors;

/// <summary>An operation was asked for on a device for which it has no kernel.</summary>
/// <param name="message">Names the operation and the device.</param>
public sealed class MissingKernelException(string message) : NotSupportedException(message);

namespace Lavt.Kernels;

/// <summary>
/// Replaces each number by its sum over all devices that share a batch. Every device calls it for the same kernels in the same
/// order.
/// </summary>
/// <param name="values">Numbers of this device.</param>
public delegate void DeviceSum(Span<double> values);

using System.Globalization;

namespace Lavt.Tensors;

/// <summary>The kinds of hardware that hold tensors.</summary>
public enum DeviceKind
{
    /// <summary>Host memory, computed on by the processor.</summary>
    Cpu,

    /// <summary>Memory of an NVIDIA GPU.</summary>
    Cuda,
}

/// <summary>A place where a tensor lives, written <c>cpu</c>, <c>cpu:1</c> or <c>cuda:0</c>.</summary>
/// <param name="Kind">The kind of hardware.</param>
/// <param name="Index">Which one of its kind, from 0.</param>
public readonly record struct Device(DeviceKind Kind, int Index)
{
    /// <summary>The processor.</summary>
    public static readonly Device Cpu = new(DeviceKind.Cpu, 0);

    /// <summary>Whether this is a GPU.</summary>
    public bool IsCuda => Kind == DeviceKind.Cuda;

    /// <summary>Reads <c>cpu</c>, <c>cpu:N</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    /// <exception cref="FormatException">The text names no device.</exception>
    public static Device Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(':');
        int index = 0;
        bool good = parts.Length is 1 or 2 && parts[0] is "cpu" or "cuda";
        if (good && parts.Length == 2)
            good = int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index);
        if (!good)
            throw new FormatException($"'{text}' is no device; expected cpu, cpu:N, cuda or cuda:N");
        return new Device(parts[0] == "cpu" ? DeviceKind.Cpu : DeviceKind.Cuda, index);
    }

    /// <inheritdoc/>
    public override string ToString() => Kind == DeviceKind.Cpu
        ? Index == 0 ? "cpu" : $"cpu:{Index}"
        : $"cuda:{Index}";
}

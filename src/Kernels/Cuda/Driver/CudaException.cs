using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>A call of the CUDA driver or of NVRTC failed.</summary>
/// <param name="message">Names the call and what it was about, and says what the driver says.</param>
/// <param name="result">The driver's CUresult; 0 where the error is not the driver's.</param>
public sealed class CudaException(string message, int result = 0) : Exception(message)
{
    /// <summary>CUDA_ERROR_OUT_OF_MEMORY.</summary>
    internal const int OutOfMemory = 2;

    /// <summary>CUDA_ERROR_NOT_READY: what was asked about is still to come.</summary>
    internal const int NotReady = 600;

    /// <summary>CUDA_ERROR_INVALID_IMAGE and CUDA_ERROR_NO_BINARY_FOR_GPU.</summary>
    internal const int InvalidImage = 200, NoBinary = 209;

    /// <summary>CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, which is no error.</summary>
    internal const int PeerAlreadyEnabled = 704;

    /// <summary>The driver's CUresult; 0 where the error is not the driver's.</summary>
    public int Result { get; } = result;

    /// <summary>Throws if a call of the driver failed.</summary>
    /// <param name="result">What the call returned.</param>
    /// <param name="what">The call and what it was about; not put together unless it failed.</param>
    internal static void Check(int result, [InterpolatedStringHandlerArgument(nameof(result))] ref Description what)
    {
        if (result != 0) throw Failure(result, what.ToStringAndClear());
    }

    /// <inheritdoc cref="Check(int, ref Description)"/>
    internal static void Check(int result, string what)
    {
        if (result != 0) throw Failure(result, what);
    }

    private static unsafe CudaException Failure(int result, string what)
    {
        string name = DriverApi.GetErrorName(result, out byte* n) == 0 ? Marshal.PtrToStringUTF8((nint)n)! : "an unknown error";
        string text = DriverApi.GetErrorString(result, out byte* t) == 0 ? Marshal.PtrToStringUTF8((nint)t)! : "";
        return new CudaException($"{what}: {name} ({result}): {text}", result);
    }

    /// <summary>A text that is put together only if a call failed.</summary>
    [InterpolatedStringHandler]
    internal ref struct Description
    {
        private DefaultInterpolatedStringHandler _text;

        /// <summary>Asks for the text's parts unless <paramref name="result"/> is 0.</summary>
        public Description(int literalLength, int formattedCount, int result, out bool isWanted)
        {
            isWanted = result != 0;
            if (isWanted) _text = new DefaultInterpolatedStringHandler(literalLength, formattedCount, System.Globalization.CultureInfo.InvariantCulture);
        }

        /// <summary>Adds text as it stands.</summary>
        public void AppendLiteral(string value) => _text.AppendLiteral(value);

        /// <summary>Adds a value.</summary>
        public void AppendFormatted<T>(T value) => _text.AppendFormatted(value);

        /// <summary>The text.</summary>
        public string ToStringAndClear() => _text.ToStringAndClear();
    }
}

using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>The bytes of a tensor in row-major order, in pieces, so that nothing is copied as a whole.</summary>
internal static unsafe class TensorBytes
{
    private const int Piece = 1 << 18;

    /// <summary>Receives the next bytes.</summary>
    /// <param name="bytes">Valid during the call.</param>
    public delegate void Receiver(ReadOnlySpan<byte> bytes);

    /// <summary>The size of the tensor's numbers.</summary>
    public static long Size(Tensor tensor) => tensor.Count * tensor.DType.Size();

    /// <summary>The CRC-32 of the bytes.</summary>
    public static uint Checksum(Tensor tensor)
    {
        uint crc = 0;
        ForEach(tensor, bytes => crc = Crc32.Append(crc, bytes));
        return crc;
    }

    /// <summary>Hands all bytes over, first to last.</summary>
    public static void ForEach(Tensor tensor, Receiver receiver)
    {
        int size = tensor.DType.Size();
        byte* first = (byte*)tensor.Storage.Data + tensor.Offset * size;
        if (!tensor.IsContiguous)
        {
            Gather(tensor, first, size, receiver);
            return;
        }
        long bytes = Size(tensor);
        for (long done = 0; done < bytes; done += Piece)
            receiver(new ReadOnlySpan<byte>(first + done, (int)Math.Min(Piece, bytes - done)));
    }

    private static void Gather(Tensor tensor, byte* first, int size, Receiver receiver)
    {
        byte[] piece = new byte[Piece];
        StridedIndex index = new(tensor);
        int filled = 0;
        for (long i = 0; i < tensor.Count; i++, index.Next())
        {
            new ReadOnlySpan<byte>(first + index.Offset * size, size).CopyTo(piece.AsSpan(filled));
            filled += size;
            if (filled < Piece) continue;
            receiver(piece);
            filled = 0;
        }
        receiver(piece.AsSpan(0, filled));
    }
}

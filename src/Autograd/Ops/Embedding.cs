using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>Rows of a table [V, C] by their numbers ids (I64, any shape): [shape of ids, C].</summary>
    /// <param name="table">[V, C].</param>
    /// <param name="ids">I64.</param>
    /// <param name="paddingId">A row that is looked up but never learns, as PyTorch's padding_idx; −1: none.</param>
    /// <exception cref="ArgumentOutOfRangeException">An id is no row of the table. On a GPU, which would have to be waited for, its row of the result is not-a-numbers instead.</exception>
    public static Tensor Embedding(Tensor table, Tensor ids, int paddingId = -1)
    {
        CheckFloat(nameof(Embedding), table);
        if (table.DType == DType.F64) return Gather(table, ids);
        (table, ids) = (Contiguous(table), Contiguous(ids));
        int rows = table.Shape[0], channels = table.Shape[1];
        foreach (long id in ids.Device.IsCuda ? [] : ids.Span<long>())
            if (id < 0 || id >= rows)
                throw new ArgumentOutOfRangeException(nameof(ids), $"Embedding: id {id} in a table of {rows} rows; do vocabulary and weights belong together?");
        Tensor y = table.EmptyLike(new Shape([.. ids.Shape.ToArray(), channels]));
        if (table.Device.IsCuda) Kernels.Cuda.Embedding.Forward(StreamOf(table), table.DevicePointer<float>(), ids.DevicePointer<long>(), y.DevicePointer<float>(), ids.Count, rows, channels);
        else Kernels.Cpu.Embedding.Forward(table.Pointer<float>(), ids.Pointer<long>(), y.Pointer<float>(), ids.Count, channels);
        return Tape.Record(nameof(Embedding), y, [table], [ids], g =>
        {
            Tensor dTable = Tensor.Zeros([rows, channels], DType.F32, g.Output.Device);
            if (g.Output.Device.IsCuda)
            {
                Kernels.Cuda.Embedding.Backward(StreamOf(g.Output), g.Output.DevicePointer<float>(), ids.DevicePointer<long>(), dTable.DevicePointer<float>(), ids.Count, rows, channels, paddingId);
            }
            else
            {
                Kernels.Cpu.Embedding.Backward(g.Output.Pointer<float>(), ids.Pointer<long>(), dTable.Pointer<float>(), ids.Count, channels, rows);
                if (paddingId >= 0) dTable.Span<float>().Slice(paddingId * channels, channels).Clear();
            }
            g.Set(0, dTable);
        });
    }
}

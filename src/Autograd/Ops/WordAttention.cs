using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Attention of tokens to words: softmax over the words of scale · q·k + penalty · (mask − 1), times v. The pixel-word
    /// attention of LAVT (eq. 1–3), and the self-attention of BERT.
    /// </summary>
    /// <param name="q">Queries [B, N, C].</param>
    /// <param name="k">Keys [B, L, C].</param>
    /// <param name="v">Values [B, L, C].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    /// <param name="heads">Each head has C / heads neighbouring channels.</param>
    /// <param name="scale">Multiplies the products of queries and keys.</param>
    /// <param name="penalty">What padding loses before the softmax.</param>
    /// <returns>[B, N, C].</returns>
    public static Tensor WordAttention(Tensor q, Tensor k, Tensor v, Tensor mask, int heads, double scale, double penalty = 1e4)
    {
        CheckFloat(nameof(WordAttention), q);
        if (q.Rank != 3 || k.Rank != 3 || k.Shape != v.Shape || q.Shape[0] != k.Shape[0] || q.Shape[2] != k.Shape[2] || q.Shape[2] % heads != 0)
            throw new ArgumentException($"WordAttention: {q}, {k} and {v} with {heads} heads do not go together; expected [B, N, C], [B, L, C], [B, L, C]");
        if (mask.Count != (long)k.Shape[0] * k.Shape[1]) throw new ArgumentException($"WordAttention: the mask {mask} must be [{k.Shape[0]}, {k.Shape[1]}]");
        if (q.DType == DType.F64) return WordAttentionComposed(q, k, v, mask, heads, scale, penalty);
        (q, k, v, mask) = (Contiguous(q), Contiguous(k), Contiguous(v), Contiguous(mask));
        (int batch, int tokens, int words, int channels) = (q.Shape[0], q.Shape[1], k.Shape[1], q.Shape[2]);
        Tensor y = q.EmptyLike(q.Shape);
        if (q.Device.IsCuda) Kernels.Cuda.WordAttention.Forward(StreamOf(q), q.DevicePointer<float>(), k.DevicePointer<float>(), v.DevicePointer<float>(), mask.DevicePointer<float>(), y.DevicePointer<float>(), batch, tokens, words, channels, heads, (float)scale, (float)penalty);
        else Kernels.Cpu.WordAttention.Forward(q.Pointer<float>(), k.Pointer<float>(), v.Pointer<float>(), mask.Pointer<float>(), y.Pointer<float>(), batch, tokens, words, channels, heads, (float)scale, (float)penalty);
        return Tape.Record(nameof(WordAttention), y, [q, k, v], [q, k, v, mask], g =>
        {
            Tensor dq = q.EmptyLike(q.Shape), dk = k.EmptyLike(k.Shape), dv = v.EmptyLike(v.Shape);
            if (q.Device.IsCuda) Kernels.Cuda.WordAttention.Backward(StreamOf(q), q.DevicePointer<float>(), k.DevicePointer<float>(), v.DevicePointer<float>(), mask.DevicePointer<float>(), g.Output.DevicePointer<float>(), dq.DevicePointer<float>(), dk.DevicePointer<float>(), dv.DevicePointer<float>(), batch, tokens, words, channels, heads, (float)scale, (float)penalty);
            else Kernels.Cpu.WordAttention.Backward(q.Pointer<float>(), k.Pointer<float>(), v.Pointer<float>(), mask.Pointer<float>(), g.Output.Pointer<float>(), dq.Pointer<float>(), dk.Pointer<float>(), dv.Pointer<float>(), batch, tokens, words, channels, heads, (float)scale, (float)penalty);
            g.Set(0, dq);
            g.Set(1, dk);
            g.Set(2, dv);
        });
    }

    /// <summary>
    /// BERT's self-attention: <see cref="WordAttention"/> of the words to themselves, with dropout of the probabilities in
    /// training, for which the composed form serves (a sentence is short).
    /// </summary>
    public static Tensor SelfAttention(Tensor q, Tensor k, Tensor v, Tensor mask, int heads, double scale, double dropout) => dropout == 0
        ? WordAttention(q, k, v, mask, heads, scale)
        : WordAttentionComposed(q, k, v, mask, heads, scale, 1e4, dropout);

    internal static Tensor WordAttentionComposed(Tensor q, Tensor k, Tensor v, Tensor mask, int heads, double scale, double penalty, double dropout = 0)
    {
        (int batch, int tokens, int words, int channels) = (q.Shape[0], q.Shape[1], k.Shape[1], q.Shape[2]);
        Tensor split(Tensor t, int length) => Permute(Reshape(t, [batch, length, heads, channels / heads]), 0, 2, 1, 3);
        Tensor scores = Scale(MatMul(split(q, tokens), Permute(split(k, words), 0, 1, 3, 2)), scale);
        scores = Add(scores, Scale(AddScalar(Reshape(mask, [batch, 1, 1, words]), -1), penalty));
        Tensor y = MatMul(Dropout(Softmax(scores), dropout), split(v, words));
        return Reshape(Permute(y, 0, 2, 1, 3), q.Shape);
    }
}

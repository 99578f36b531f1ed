using Lavt.Data;
using Lavt.Imaging;
using Lavt.Models;
using Lavt.Tensors;
using Lavt.Text;

namespace Lavt.Evaluation;

/// <summary>
/// Runs several sentences on the same frames: the words are encoded once, and what does not depend on the sentence is computed
/// once for each window of frames.
/// </summary>
internal sealed class SentencePass : IDisposable
{
    /// <summary>Frames that a picture model takes at once; they do not see each other.</summary>
    private const int PicturesAtOnce = 4;

    private readonly ModelSession _session;
    private readonly LogitsQueue _logits;
    private readonly bool _fusesClips;
    private readonly int _size;
    private readonly List<(Tensor Language, Tensor Mask)> _words = [];

    /// <summary>Encodes sentences. The results belong to the memory scope that is open.</summary>
    /// <param name="model">The model, in evaluation mode.</param>
    /// <param name="session">A session of it.</param>
    /// <param name="size">Rows and columns of a frame as the model sees it.</param>
    /// <param name="sentences">The sentences as word pieces.</param>
    public SentencePass(LavtModel model, ModelSession session, int size, IReadOnlyList<Tokens> sentences)
    {
        (_session, _fusesClips, _size) = (session, model.Options.FusesClips, size);
        _logits = new LogitsQueue(model.Device);
        foreach (Tokens tokens in sentences)
        {
            (Tensor ids, Tensor mask) = TokenTensors.Of(tokens);
            // A copy, for the session's own result holds until the next sentence.
            _words.Add((session.Words(ids, mask).Copy(), mask));
        }
    }

    /// <summary>The length of windows for this model, if a video model sees so many frames at once (0: all).</summary>
    public int WindowOf(int asked) => _fusesClips ? asked : PicturesAtOnce;

    /// <summary>Runs all sentences on a window.</summary>
    /// <param name="frames">Frames of S × S × 3 bytes each.</param>
    /// <param name="stop">Asks for a stop between two sentences.</param>
    /// <param name="ready">Gets the number of each sentence and its logits [T, S, S, 2]; a GPU computes the next one meanwhile.</param>
    public void Run(IReadOnlyList<byte[]> frames, CancellationToken stop, Action<int, Tensor> ready)
    {
        using MemoryScope scope = MemoryScope.Begin();
        PwamVisuals prefix = _session.Prefix(Input(frames));
        for (int i = 0; i < _words.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            using MemoryScope inner = MemoryScope.Begin();
            int sentence = i;
            _logits.Add(_session.Logits(prefix, _size, _size, _words[i].Language, _words[i].Mask), logits => ready(sentence, logits));
        }
        _logits.Finish();
    }

    /// <summary>Gives the memory of results back.</summary>
    public void Dispose() => _logits.Dispose();

    private Tensor Input(IReadOnlyList<byte[]> frames)
    {
        int length = 3 * _size * _size;
        Tensor input = Tensor.Empty([1, frames.Count, 3, _size, _size]);
        for (int i = 0; i < frames.Count; i++)
            PictureTransform.Normalise(frames[i], _size * _size, input.Span<float>().Slice(i * length, length));
        return input;
    }
}

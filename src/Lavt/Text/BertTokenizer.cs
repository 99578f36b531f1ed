using System.Text;

namespace Lavt.Text;

/// <summary>
/// Turns a sentence into the word pieces of an uncased BERT vocabulary: lower case, accents off, words split at spaces,
/// punctuation and Chinese characters, and each word cut into the longest pieces that the vocabulary has.
/// </summary>
/// <remarks>
/// Source: BasicTokenizer and WordpieceTokenizer of Devlin et al., "BERT: Pre-training of deep bidirectional transformers"
/// (2019), as the published LAVT code bundles them: control characters are not removed, and the special tokens may be written
/// out in the text. Works on code points, not on UTF-16 units. Thread-safe.
/// </remarks>
public sealed class BertTokenizer
{
    private const int LongestWord = 100;
    private static readonly string[] s_specialTokens = ["[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"];
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly int _start;
    private readonly int _end;

    private BertTokenizer(Dictionary<string, int> ids)
    {
        _ids = ids;
        _lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        (UnknownId, _start, _end) = (ids["[UNK]"], ids["[CLS]"], ids["[SEP]"]);
        VocabularySize = ids.Values.Max() + 1;
    }

    /// <summary>One more than the largest id.</summary>
    public int VocabularySize { get; }

    /// <summary>The id of words that cannot be made of pieces.</summary>
    public int UnknownId { get; }

    /// <summary>Reads a vocabulary: one piece a line, numbered from 0.</summary>
    /// <param name="path">The file, or a folder that holds it as vocab.txt (as model folders of Hugging Face do).</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is no BERT vocabulary.</exception>
    public static BertTokenizer Load(string path)
    {
        string file = Directory.Exists(path) ? Path.Combine(path, "vocab.txt") : path;
        if (!File.Exists(file))
        {
            throw new FileNotFoundException(
                $"{file}: there is no such vocabulary; give the folder of a BERT model that holds vocab.txt, or the file itself (--bert_tokenizer)", file);
        }
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in File.ReadLines(file, Encoding.UTF8)) ids[line] = number++;
        foreach (string token in s_specialTokens)
        {
            if (!ids.ContainsKey(token))
                throw new InvalidDataException($"{file}: not a BERT vocabulary, the piece {token} is missing among {ids.Count}; give the vocab.txt of bert-base-uncased");
        }
        return new BertTokenizer(ids);
    }

    /// <summary>The ids of a sentence between [CLS] and [SEP].</summary>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = [_start];
        AddSentence(text, ids);
        ids.Add(_end);
        return [.. ids];
    }

    /// <summary>
    /// The ids of a sentence for a model: cut off at the end where it is too long (so that a long sentence loses its [SEP]),
    /// padded with 0 where it is shorter.
    /// </summary>
    /// <param name="text">The sentence.</param>
    /// <param name="maxTokens">The length of the rows, [CLS] and [SEP] included; 20 for pictures and 22 for clips in LAVT.</param>
    public Tokens Encode(string text, int maxTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        int[] all = Encode(text);
        int count = Math.Min(all.Length, maxTokens);
        int[] ids = new int[maxTokens];
        all.AsSpan(0, count).CopyTo(ids);
        return new Tokens(ids, count, all.Length);
    }

    /// <summary>Special tokens that are written out in the text stand for themselves; what lies between is cut into words.</summary>
    private void AddSentence(ReadOnlySpan<char> text, List<int> ids)
    {
        while (true)
        {
            int place = -1;
            string found = "";
            foreach (string token in s_specialTokens)
            {
                int at = text.IndexOf(token, StringComparison.Ordinal);
                if (at >= 0 && (place < 0 || at < place)) (place, found) = (at, token);
            }
            AddWords(place < 0 ? text : text[..place], ids);
            if (place < 0) return;
            ids.Add(_ids[found]);
            text = text[(place + found.Length)..];
        }
    }

    private void AddWords(ReadOnlySpan<char> text, List<int> ids)
    {
        StringBuilder word = new();
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool alone = Characters.IsChinese(rune);
            if (alone || Characters.IsSpace(rune)) AddWord(word, ids);
            if (Characters.IsSpace(rune)) continue;
            Accents.AppendPlain(word, Characters.ToLower(rune));
            if (alone) AddWord(word, ids);
        }
        AddWord(word, ids);
    }

    /// <summary>Splits a word at punctuation; the builder is empty afterwards.</summary>
    private void AddWord(StringBuilder word, List<int> ids)
    {
        if (word.Length == 0) return;
        string plain = word.ToString();
        StringBuilder part = word.Clear();
        foreach (Rune rune in plain.EnumerateRunes())
        {
            if (!Characters.IsPunctuation(rune))
            {
                part.Append(rune);
                continue;
            }
            AddPieces(part, ids);
            AddPieces(part.Append(rune), ids);
        }
        AddPieces(part, ids);
    }

    /// <summary>Cuts a word into pieces, the longest first; a word with a part that is in no piece is unknown as a whole.</summary>
    private void AddPieces(StringBuilder word, List<int> ids)
    {
        if (word.Length == 0) return;
        string text = word.ToString();
        word.Clear();
        int before = ids.Count;
        if (text.EnumerateRunes().Count() <= LongestWord && TryPieces(text, ids)) return;
        ids.RemoveRange(before, ids.Count - before);
        ids.Add(UnknownId);
    }

    private bool TryPieces(string text, List<int> ids)
    {
        Span<char> continued = new char[text.Length + 2];
        "##".CopyTo(continued);
        text.CopyTo(continued[2..]);
        for (int start = 0; start < text.Length;)
        {
            int end = text.Length;
            int id = -1;
            while (end > start)
            {
                // The two signs before a later piece take the place of what was cut already.
                ReadOnlySpan<char> piece = start == 0 ? text.AsSpan(0, end) : continued[start..(end + 2)];
                if (_lookup.TryGetValue(piece, out id)) break;
                id = -1;
                end--;
            }
            if (id < 0) return false;
            ids.Add(id);
            start = end;
            "##".CopyTo(continued[start..]);
        }
        return true;
    }
}

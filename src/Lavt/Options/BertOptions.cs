namespace Lavt.Options;

/// <summary>The dimensions of the BERT text encoder; the defaults are those of bert-base-uncased.</summary>
public sealed record BertOptions
{
    /// <summary>Entries of the vocabulary.</summary>
    public int VocabularySize { get; init; } = 30522;

    /// <summary>Channels of a word; the language width of every PWAM.</summary>
    public int HiddenSize { get; init; } = 768;

    /// <summary>Encoder layers that are built.</summary>
    public int Layers { get; init; } = 12;

    /// <summary>Attention heads of a layer.</summary>
    public int Heads { get; init; } = 12;

    /// <summary>Channels between the two linear layers of a block.</summary>
    public int IntermediateSize { get; init; } = 3072;

    /// <summary>Rows of the position table: the longest text.</summary>
    public int Positions { get; init; } = 512;

    /// <summary>Rows of the token-type table.</summary>
    public int TokenTypes { get; init; } = 2;

    /// <summary>Dropout rate of hidden states and attention probabilities in training.</summary>
    public double Dropout { get; init; } = 0.1;

    /// <summary>The epsilon of every layer norm.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-12;
}

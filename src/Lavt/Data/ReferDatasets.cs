using Lavt.Options;
using Lavt.Text;

namespace Lavt.Data;

/// <summary>Opens the data set that a command line names.</summary>
public static class ReferDatasets
{
    /// <summary>The longest sentence in word pieces, the two marks around it included. Longer ones are cut off, as published.</summary>
    public const int MaxTokens = 20;

    /// <summary>Opens one split.</summary>
    /// <param name="options">Which data set, and where it lies.</param>
    /// <param name="split">The split.</param>
    /// <param name="tokenizer">The vocabulary, see <see cref="LoadTokenizer"/>.</param>
    /// <exception cref="OptionException">The data set is none of pictures.</exception>
    /// <exception cref="DataException">A file is missing or broken, or there is no such split.</exception>
    public static ReferDataset Open(DataOptions options, string split, BertTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.CombinedImages) return OpenAll(options, split, tokenizer, MaxTokens);
        ReferData data = ReferData.Load(options.ReferRoot, NameOf(options.Dataset), options.SplitBy);
        return new ReferDataset(data, split, tokenizer, options.ImageSize, MaxTokens);
    }

    /// <summary>Opens one split of the three RefCOCO sets together, cut as the published code cuts them.</summary>
    /// <param name="options">Where they lie.</param>
    /// <param name="split">The split, train or val.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="maxTokens">The length of a row of word pieces.</param>
    /// <exception cref="DataException">A file is missing or broken, or there is no such split.</exception>
    public static ReferDataset OpenAll(DataOptions options, string split, BertTokenizer tokenizer, int maxTokens)
    {
        ArgumentNullException.ThrowIfNull(options);
        ReferData[] sets = [Load(DatasetKind.RefCoco, "unc"), Load(DatasetKind.RefCocoPlus, "unc"), Load(DatasetKind.RefCocoG, "umd")];
        return new ReferDataset(sets, split, tokenizer, options.ImageSize, maxTokens);

        ReferData Load(DatasetKind dataset, string splitBy) => ReferData.Load(options.ReferRoot, NameOf(dataset), splitBy);
    }

    /// <summary>Reads the vocabulary that <c>--bert_tokenizer</c> names.</summary>
    /// <param name="options">Where it lies.</param>
    /// <param name="bert">The text encoder that reads its ids.</param>
    /// <exception cref="OptionException">It has more word pieces than the text encoder.</exception>
    public static BertTokenizer LoadTokenizer(DataOptions options, BertOptions bert)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(bert);
        BertTokenizer tokenizer = BertTokenizer.Load(options.Tokenizer);
        if (tokenizer.VocabularySize > bert.VocabularySize)
            throw new OptionException("--bert_tokenizer", $"{options.Tokenizer} has {tokenizer.VocabularySize} word pieces, the model knows {bert.VocabularySize}; give the vocabulary that belongs to the model");
        return tokenizer;
    }

    /// <summary>Stops a video model before pictures are loaded for it.</summary>
    /// <exception cref="OptionException">The model is one of clips.</exception>
    public static void RequirePictures(LavtOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Model.Model == ModelKind.LavtVideo)
            throw new OptionException("--dataset", $"lavt_video sees clips, {NameOf(options.Data.Dataset)} has pictures; give a2d, jhmdb or ytvos, or --image_combined_3d_pretrain for pictures as clips");
    }

    /// <summary>The name of a data set, which is also its folder's.</summary>
    /// <exception cref="OptionException">The data set is none of pictures.</exception>
    public static string NameOf(DatasetKind dataset) => dataset switch
    {
        DatasetKind.RefCoco => "refcoco",
        DatasetKind.RefCocoPlus => "refcoco+",
        DatasetKind.RefCocoG => "refcocog",
        _ => throw new OptionException("--dataset", "has clips, pictures were expected; give refcoco, refcoco+ or refcocog"),
    };
}

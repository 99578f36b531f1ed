using System.Globalization;
using Lavt.Data;
using Lavt.Imaging;
using Lavt.Nn.Weights;

namespace Lavt.Evaluation;

/// <summary>Writes the masks of an evaluation over their pictures, a JPEG file for each sentence.</summary>
public sealed class OverlayFolder
{
    private readonly string _folder;
    private readonly ReferData _data;
    private string _shownFile = "";
    private Picture _shown = new();

    /// <summary>Makes the folder.</summary>
    /// <param name="folder">Where the pictures go.</param>
    /// <param name="data">The data set that is evaluated.</param>
    public OverlayFolder(string folder, ReferData data)
    {
        OutputPath.MakeFolder(folder);
        (_folder, _data) = (folder, data);
    }

    /// <summary>The file of a sentence.</summary>
    public static string FileOf(string folder, long refId, int sentenceIndex) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{refId}_{sentenceIndex}.jpg"));

    /// <summary>Writes the picture of one mask.</summary>
    public void Add(EvaluatedMask evaluated)
    {
        string picture = _data.PicturePath(evaluated.Sample);
        if (picture != _shownFile)
            (_shown, _shownFile) = (Picture.Load(picture), picture);
        Overlay.Draw(_shown, evaluated.Mask).SaveJpeg(FileOf(_folder, evaluated.Sample.RefId, evaluated.SentenceIndex));
    }
}

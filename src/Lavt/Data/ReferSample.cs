namespace Lavt.Data;

/// <summary>A picture of a COCO data set.</summary>
/// <param name="Id">The number of the picture.</param>
/// <param name="FileName">The file within the folder of pictures.</param>
/// <param name="Rows">The height in pixels that the annotations are made for.</param>
/// <param name="Columns">The width in pixels that the annotations are made for.</param>
public sealed record ReferImage(long Id, string FileName, int Rows, int Columns);

/// <summary>One expression that refers to an object.</summary>
/// <param name="Id">The number of the sentence in its data set.</param>
/// <param name="Raw">The words as they were written.</param>
public sealed record ReferSentence(long Id, string Raw);

/// <summary>An object of a picture with the sentences that mean it.</summary>
/// <param name="RefId">The number of the reference.</param>
/// <param name="AnnotationId">The number of the object's annotation.</param>
/// <param name="Split">The part of the data set: train, val, testA …</param>
/// <param name="Image">The picture.</param>
/// <param name="Segmentation">The outline of the object.</param>
/// <param name="Sentences">At least one sentence.</param>
public sealed record ReferSample(
    long RefId, long AnnotationId, string Split, ReferImage Image, Segmentation Segmentation, IReadOnlyList<ReferSentence> Sentences)
{
    /// <summary>How messages name the sample.</summary>
    public string Place => $"ref {RefId}, ann {AnnotationId}, image {Image.Id}";
}

using Lavt.Data;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Text;

namespace Lavt.Training;

/// <summary>Opens what a command line trains on.</summary>
internal static class TrainingData
{
    /// <summary>Opens pictures, or clips where the data set has them or is made into them.</summary>
    /// <exception cref="OptionException">The model cannot be trained on the data set.</exception>
    /// <exception cref="DataException">A file is missing or broken.</exception>
    public static ITrainingData Open(LavtOptions options, BertTokenizer tokenizer, CollectiveQueue devices)
    {
        if (options.Data.CombinedImagesAsClips || options.Data.IsOfClips && !options.Data.CombinedImages)
            return new ClipTrainingData(options, tokenizer, devices);
        if (options.Model.Model == ModelKind.LavtVideo)
            throw new OptionException("--dataset", "lavt_video is trained on clips: give a2d, ytvos, joint or refs+ytvos, or --image_combined_3d_pretrain for pictures as clips");
        return new PictureTrainingData(options, tokenizer, devices);
    }
}

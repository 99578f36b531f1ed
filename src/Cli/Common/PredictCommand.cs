using System.CommandLine;
using System.Globalization;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Options;
using Lavt.Prediction;

namespace Lavt.Cli;

/// <summary><c>lavt predict</c>: masks for sentences about one picture.</summary>
internal static class PredictCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var image = new Option<string>("--image") { HelpName = "FILE", Description = "The picture, JPEG or PNG.", Required = true };
        var text = new Option<string[]>("--text")
        {
            HelpName = "SENTENCE",
            Description = "What to look for; may be given several times.",
            Required = true,
            Arity = ArgumentArity.OneOrMore,
        };
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "Where the masks go. Default: beside the picture." };
        var command = new Command("predict", "Marks what sentences mean in a picture.") { image, text, folder };
        var flags = new FlagOptions(command);
        HelpPage.Attach(command,
            "lavt predict --image photo.jpg --text \"the man on the left\" --resume checkpoints/refcoco.pth",
            "lavt predict --image photo.jpg --text \"left cup\" --text \"red cup\" --resume checkpoints/refcoco.pth --out masks",
            "lavt predict --image scene.jpg --text \"red circle\" --resume demo/checkpoints/model_best_demo.pth");
        command.SetAction(result => Run(flags.Read(result), result.GetValue(image)!, result.GetValue(text)!, result.GetValue(folder)));
        return command;
    }

    private static int Run(LavtOptions options, string image, string[] sentences, string? folder)
    {
        Machine.Prepare(options.Machine);
        Picture picture = Picture.Load(image);
        var predictor = new Predictor(options);
        folder ??= Path.GetDirectoryName(Path.GetFullPath(image))!;
        Directory.CreateDirectory(folder);
        string name = Path.Combine(folder, Path.GetFileNameWithoutExtension(image));
        Console.WriteLine($"{image}: {picture.Columns} x {picture.Rows} pixels, seen at {predictor.ImageSize} x {predictor.ImageSize}");
        IReadOnlyList<SentencePrediction> predictions = predictor.Predict(picture, sentences);
        for (int i = 0; i < predictions.Count; i++)
        {
            string mask = $"{name}.mask{i}.png", overlay = $"{name}.overlay{i}.png";
            predictions[i].Mask.SavePng(mask);
            Overlay.Draw(picture, predictions[i].Mask).SavePng(overlay);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"\"{predictions[i].Text}\": {100 * predictions[i].Coverage:F2} % of the picture, {predictions[i].Seconds:F2} s -> {mask}, {overlay}"));
        }
        return ExitCode.Ok;
    }
}

using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Prediction;
using Lavt.Training;
using Lavt.Video;

namespace Lavt.Cli;

/// <summary><c>lavt predict</c>: masks for sentences about a picture or a video.</summary>
internal static class PredictCommand
{
    /// <summary>Frames of a video that a video model sees together unless <c>--sliding_window</c> says otherwise: enough to see motion, and little memory.</summary>
    private const int DefaultWindow = 32;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var image = new Option<string>("--image") { HelpName = "FILE", Description = "The picture, JPEG or PNG." };
        var video = new Option<string>("--video") { HelpName = "FILE|DIR", Description = "The video, or a folder of its frames." };
        var text = new Option<string[]>("--text")
        {
            HelpName = "SENTENCE",
            Description = "What to look for; may be given several times.",
            Required = true,
            Arity = ArgumentArity.OneOrMore,
        };
        var folder = new Option<string>("--out") { HelpName = "DIR", Description = "Where the masks go. Default: beside the picture or video." };
        var command = new Command("predict", "Marks what sentences mean in a picture or a video.") { image, video, text, folder };
        var flags = new FlagOptions(command);
        HelpPage.Attach(command,
            "lavt predict --image photo.jpg --text \"the man on the left\" --resume checkpoints/refcoco.pth",
            "lavt predict --image photo.jpg --text \"left cup\" --text \"red cup\" --resume checkpoints/refcoco.pth --out masks",
            "lavt predict --video street.mp4 --text \"the bike that turns right\" --resume checkpoints/ytvos.pth --out masks",
            "lavt predict --image scene.jpg --text \"red circle\" --resume demo/checkpoints/model_best_demo.pth");
        command.SetAction(result =>
        {
            LavtOptions options = flags.Read(result);
            string[] sentences = result.GetValue(text)!;
            if (sentences.Any(string.IsNullOrWhiteSpace))
                throw new OptionException("--text", "the sentence has no words; say what to look for");
            return (result.GetValue(image), result.GetValue(video)) switch
            {
                ({ } file, null) => OnPicture(options, file, sentences, result.GetValue(folder)),
                (null, { } path) => OnVideo(options, path, sentences, result.GetValue(folder)),
                _ => throw new OptionException("--image", "give a picture with --image, or a video or a folder of frames with --video"),
            };
        });
        return command;
    }

    private static int OnPicture(LavtOptions options, string image, string[] sentences, string? folder)
    {
        Machine.Prepare(options.Machine);
        Picture picture = Picture.Load(image);
        using var predictor = new Predictor(options);
        NameTooLong(predictor.TooLong(sentences, aboutVideo: false));
        string name = Prepare(image, folder);
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

    private static int OnVideo(LavtOptions options, string path, string[] sentences, string? folder)
    {
        Machine.Prepare(options.Machine);
        var input = new VideoInput(path);
        using var predictor = new Predictor(options);
        NameTooLong(predictor.TooLong(sentences, aboutVideo: true));
        string name = Prepare(Path.TrimEndingDirectorySeparator(path), folder);
        var status = new StatusLine();
        using var interruption = new Interruption();
        VideoOverlay[] overlays = [.. sentences.Select((_, i) => new VideoOverlay(input, $"{name}.mask{i}", $"{name}.overlay{i}.mp4"))];
        long started = Stopwatch.GetTimestamp();
        int frames = 0;
        try
        {
            int window = options.Given.Contains("--sliding_window") ? options.Data.SlidingWindow : DefaultWindow;
            predictor.Predict(input.Frames(), sentences, window, Add, interruption.Token);
            foreach (VideoOverlay overlay in overlays) overlay.Finish();
        }
        catch (OperationCanceledException)
        {
            return interruption.ExitCode;
        }
        finally
        {
            status.Clear();
            foreach (VideoOverlay overlay in overlays) overlay.Dispose();
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{path}: {frames} frames, seen at {predictor.ImageSize} x {predictor.ImageSize}, {Stopwatch.GetElapsedTime(started).TotalSeconds:F2} s"));
        for (int i = 0; i < sentences.Length; i++)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\"{sentences[i]}\": {100 * overlays[i].Coverage:F2} % of the video -> {name}.mask{i}, {name}.overlay{i}.mp4"));
        return ExitCode.Ok;

        void Add(int sentence, int frame, Mask mask)
        {
            overlays[sentence].Add(frame, mask);
            frames = Math.Max(frames, frame + 1);
            status.Progress(new TrainingProgress("frames", frame + 1, frame + 1, null, null));
        }
    }

    private static void NameTooLong(IEnumerable<string> sentences)
    {
        foreach (string sentence in sentences)
            Terminal.Note($"--text: the model reads the beginning of \"{sentence[..Math.Min(60, sentence.Length)]}…\" alone; the rest has no effect");
    }

    /// <summary>Makes the folder of the results; gives the beginning of their names.</summary>
    private static string Prepare(string path, string? folder)
    {
        folder ??= Path.GetDirectoryName(Path.GetFullPath(path))!;
        OutputPath.MakeFolder(folder);
        return Path.Combine(folder, Path.GetFileNameWithoutExtension(path));
    }
}

using Lavt.Demo;
using Lavt.Options;
using Lavt.Training;

namespace Lavt.Tests.Training;

/// <summary>A data set of a few pictures and a tiny model in a folder of their own, for tests that train.</summary>
public sealed class SmallRun : IDisposable
{
    public SmallRun()
    {
        Folder = Directory.CreateTempSubdirectory("lavt-run-").FullName;
        Data = Path.Combine(Folder, "data");
        DemoScenes.Make(Data, new DemoOptions { PictureSize = 64, TrainPictures = 8, ValPictures = 2, TestAPictures = 3, TestBPictures = 1, Seed = 5 });
    }

    public string Folder { get; }

    public string Data { get; }

    /// <summary>The flags of a model of a few thousand weights that has dropout and drop path.</summary>
    public const string Model =
        "--model lavt_one --embed_dim 8 --depths 1-1-1-1 --heads 1-1-2-2 --window 4 --drop_path 0.2 --fusion_drop 0.1 --ck_bert none "
        + "--bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 20 --bert_vocabulary 128 "
        + "--lang_enc_params embeddings+encoder-all";

    /// <summary>The flags of the data and of a short training.</summary>
    public string Flags => $"{Model} --refer_data_root {Data} --bert_tokenizer {Data} --img_size 32 --batch-size 3 --workers 1 --epochs 2 --loss mc_dice --lr 1e-3";

    public string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>The options of a run whose files are called by a name.</summary>
    public LavtOptions Options(string name, string more = "")
    {
        LavtOptions options = LavtFlags.Table.Parse($"{Flags} --output-dir {Folder} --model_id {name} {more}", new LavtOptions());
        return (options with { Given = ["--embed_dim"] }).Resolve();
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Keeps the lines of a run and stops it after a number of steps.</summary>
    public sealed class Observer(int stopAfter = int.MaxValue) : ITrainingObserver
    {
        private readonly CancellationTokenSource _stop = new();
        private int _steps;

        public List<string> Lines { get; } = [];

        public CancellationToken Token => _stop.Token;

        public void Line(string text) => Lines.Add(text);

        public void Progress(TrainingProgress progress)
        {
            if (progress.Loss is not null && ++_steps == stopAfter)
                _stop.Cancel();
        }
    }
}

using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Demo;
using Lavt.Options;
using Lavt.Text;

namespace Lavt.Tests.Training;

/// <summary>A few moving scenes and a tiny video model in a folder of their own, for tests that train on clips.</summary>
public sealed class SmallVideos : IDisposable
{
    /// <summary>The flags of a video model of a few thousand weights that has dropout and drop path.</summary>
    public const string Model =
        "--model lavt_video --num_frames 3 --sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --embed_dim 8 --depths 1-1-1-1 --heads 1-1-2-2 --window 4 "
        + "--drop_path 0.2 --fusion_drop 0.1 " + TextModel;

    /// <summary>The flags of a tiny text encoder.</summary>
    public const string TextModel =
        "--ck_bert none --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 22 --bert_vocabulary 128 --lang_enc_params embeddings+encoder-all";

    public SmallVideos()
    {
        Folder = Directory.CreateTempSubdirectory("lavt-videos-").FullName;
        Data = Path.Combine(Folder, "data");
        DemoVideos.Make(Data, new DemoVideoOptions
        {
            PictureSize = 48, Frames = 5, TrainVideos = 4, ValidVideos = 2, TestVideos = 1, WithA2d = A2dMask.IsSupported, Seed = 5,
        });
    }

    public string Folder { get; }

    public string Data { get; }

    public string A2d => Path.Combine(Data, DemoVideos.A2dFolder);

    /// <summary>Where the data lies and how it is read.</summary>
    public string Where => $"--ytvos_data_root {Data} --a2d_data_root {A2d} --bert_tokenizer {Data} --img_size 32 --workers 1";

    /// <summary>The flags of a short training.</summary>
    public string Flags => $"{Model} {Where} --batch-size 3 --epochs 2 --loss mc_dice --lr 1e-3";

    public string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>The options of a run whose files are called by a name.</summary>
    public LavtOptions Options(string name, string more = "")
    {
        LavtOptions options = LavtFlags.Table.Parse($"{Flags} --output-dir {Folder} --model_id {name} {more}", new LavtOptions());
        return (options with { Given = ["--embed_dim", "--num_frames"] }).Resolve();
    }

    /// <summary>The videos of the split valid.</summary>
    public VideoPieces Videos(string? root = null)
    {
        DataOptions data = Options("videos").Data;
        return ClipDatasets.OpenVideos(root is null ? data : data with { YouTubeVosRoot = root }, "valid", BertTokenizer.Load(Data), 2);
    }

    /// <summary>A copy of the data set that a test may break.</summary>
    public string Copy(string name)
    {
        string to = PathOf(name);
        foreach (string file in Directory.GetFiles(Data, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(Data, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        return to;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

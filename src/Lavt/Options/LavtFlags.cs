namespace Lavt.Options;

/// <summary>All flags of <c>lavt-train</c>, <c>lavt-eval</c> and <c>lavt</c>, with the published parsers' names and defaults.</summary>
public static class LavtFlags
{
    /// <summary>The table that command lines, help texts and the <c>args</c> of checkpoints are made from.</summary>
    public static FlagTable<LavtOptions> Table { get; } = new FlagTable<LavtOptions>()
        .Group("Data").Include(Data(), o => o.Data, (o, v) => o with { Data = v })
        .Group("Weights").Include(Weights(), o => o.Weights, (o, v) => o with { Weights = v })
        .Group("Training").Include(Training(), o => o.Training, (o, v) => o with { Training = v })
        .Group("Results").Include(Evaluation(), o => o.Evaluation, (o, v) => o with { Evaluation = v })
        .Group("Machine").Include(Machine(), o => o.Machine, (o, v) => o with { Machine = v })
        .Include(ModelFlags.Table, o => o.Model, (o, v) => o with { Model = v })
        .Group("Accepted without effect")
        .Accept("--ddp_trained_weights", null, "checkpoints are read the same way with and without it")
        .Accept("--pin_mem", null, "samples are read straight into place")
        .Accept("--local_rank", "N", "one process serves all devices")
        .Accept("--ngpus", "N", "--gpus N computes on GPUs")
        .Accept("--debug", null, "the published code does not read it either")
        .Accept("--map_score", "TEXT", "the published code does not read it either")
        .Accept("--test_fake_method", "TEXT", "the published code does not read it either")
        .Accept("--davis_data_root", "DIR", "the published code does not read it either")
        .Accept("--pseudo_video_aug", "NAME", "the published code does not read it either")
        .Accept("--lr_upsample", "X", "the published code does not read it either")
        .Group("Not part of LAVT")
        .Refuse("--bcam", "BCAM is the fusion of another paper and not part of this project")
        .Refuse("--gacd", "GARAN is the fusion of another paper and not part of this project")
        .Refuse("--efn", "EFN is the fusion of another paper and not part of this project");

    private static FlagTable<DataOptions> Data() => new FlagTable<DataOptions>()
        .Choice("--dataset", "Which data set.", o => o.Dataset, (o, v) => o with { Dataset = v },
            ("refcoco", DatasetKind.RefCoco), ("refcoco+", DatasetKind.RefCocoPlus), ("refcocog", DatasetKind.RefCocoG),
            ("a2d", DatasetKind.A2d), ("jhmdb", DatasetKind.Jhmdb), ("ytvos", DatasetKind.YouTubeVos), ("joint", DatasetKind.Joint),
            ("refs+ytvos", DatasetKind.RefsAndYouTubeVos))
        .Text("--splitBy", "unc|umd|google", "Who cut the data set into splits.", o => o.SplitBy, (o, v) => o with { SplitBy = v })
        .Text("--split", "NAME", "Split to evaluate: val, testA, testB, test.", o => o.Split, (o, v) => o with { Split = v })
        .Text("--refer_data_root", "DIR", "Folder of RefCOCO, RefCOCO+ and G-Ref.", o => o.ReferRoot, (o, v) => o with { ReferRoot = v })
        .Text("--a2d_data_root", "DIR", "Folder of A2D-Sentences.", o => o.A2dRoot, (o, v) => o with { A2dRoot = v })
        .Text("--ytvos_data_root", "DIR", "Folder of Refer-YouTube-VOS.", o => o.YouTubeVosRoot, (o, v) => o with { YouTubeVosRoot = v })
        .Text("--jhmdb_data_root", "DIR", "Folder of JHMDB-Sentences.", o => o.JhmdbRoot, (o, v) => o with { JhmdbRoot = v })
        .Integer("--img_size", "Pictures are resized to N x N.", o => o.ImageSize, (o, v) => o with { ImageSize = v }, least: 32)
        .Text("--bert_tokenizer", "DIR", "Folder with BERT's vocab.txt, or that file.", o => o.Tokenizer, (o, v) => o with { Tokenizer = v })
        .Integer("--workers -j", "Threads that prepare samples in the background.",
            o => o.Workers, (o, v) => o with { Workers = v }, least: 0)
        .Integer("--num_frames", "Frames of a training clip.", o => o.Frames, (o, v) => o with { Frames = v })
        .Integer("--clip_length", "Frames of an evaluation clip of A2D.", o => o.ClipLength, (o, v) => o with { ClipLength = v })
        .Integer("--sliding_window", "Frames of a video that a video model sees together; 0 for the whole video at once, which is exact.",
            o => o.SlidingWindow, (o, v) => o with { SlidingWindow = v }, least: 0)
        .Switch("--not_consecutive", "Draw evaluation clips of A2D as in training.",
            o => o.NotConsecutive, (o, v) => o with { NotConsecutive = v })
        .Switch("--sample_3", "Evaluate three frames of each clip of JHMDB-Sentences.", o => o.ThreeFrames, (o, v) => o with { ThreeFrames = v })
        .Switch("--ref_image_combined_pretrain", "Train on the three RefCOCO sets together.",
            o => o.CombinedImages, (o, v) => o with { CombinedImages = v })
        .Switch("--image_combined_3d_pretrain", "Train a video model on the three RefCOCO sets together.",
            o => o.CombinedImagesAsClips, (o, v) => o with { CombinedImagesAsClips = v });

    private static FlagTable<WeightOptions> Weights() => new FlagTable<WeightOptions>()
        .Text("--resume", "FILE", "Checkpoint to evaluate, or to go on training from; auto: the run's last one, if there is one.", o => o.Resume, (o, v) => o with { Resume = v })
        .Text("--ck_bert", "DIR", "Folder with BERT's weights; none starts from random ones.", o => o.Bert, (o, v) => o with { Bert = v })
        .Text("--pretrained_swin_weights", "FILE", "Swin weights to start from.", o => o.PretrainedSwin, (o, v) => o with { PretrainedSwin = v })
        .Text("--pretrained2d_lavt_weights", "FILE", "Weights of a picture model for a video model to start from.",
            o => o.PretrainedImageLavt, (o, v) => o with { PretrainedImageLavt = v })
        .Text("--pretrained2d_lavt_weights_for_a_3d_model", "FILE", "The same without the fusion weights.",
            o => o.PretrainedImageLavtWithoutFusion, (o, v) => o with { PretrainedImageLavtWithoutFusion = v })
        .Text("--pretrained_video_lavt_weights_on_refcocos", "FILE", "Weights of a video model to start from.",
            o => o.PretrainedVideoLavt, (o, v) => o with { PretrainedVideoLavt = v })
        .Switch("--ckpt", "Allow missing and unexpected weights when loading.", o => o.NotStrict, (o, v) => o with { NotStrict = v });

    private static FlagTable<TrainingOptions> Training() => new FlagTable<TrainingOptions>()
        .Text("--model_id", "NAME", "Name of the run; logs go to models/NAME.", o => o.ModelId, (o, v) => o with { ModelId = v })
        .Text("--output-dir", "DIR", "Folder of the checkpoints.", o => o.OutputFolder, (o, v) => o with { OutputFolder = v })
        .Integer("--epochs", "Epochs in all.", o => o.Epochs, (o, v) => o with { Epochs = v })
        .Integer("--batch-size -b", "Samples of a batch, on each device.", o => o.BatchSize, (o, v) => o with { BatchSize = v })
        .Integer("--accumulate", "Batches per step of the optimizer.", o => o.Accumulate, (o, v) => o with { Accumulate = v })
        .Number("--lr", "Learning rate at the start.", o => o.LearningRate, (o, v) => o with { LearningRate = v })
        .Switch("--fix_lr", "Keep the learning rate.", o => o.FixedLearningRate, (o, v) => o with { FixedLearningRate = v })
        .Number("--wd --weight-decay", "Weight decay of AdamW.", o => o.WeightDecay, (o, v) => o with { WeightDecay = v }, key: "weight_decay")
        .Switch("--amsgrad", "AdamW's AMSGrad variant.", o => o.AmsGrad, (o, v) => o with { AmsGrad = v })
        .Choice("--lang_enc_params", "Which parameters of BERT are trained.",
            o => o.TrainedLanguage, (o, v) => o with { TrainedLanguage = v },
            ("encoder-10", TrainedLanguage.Encoder10), ("encoder-all", TrainedLanguage.EncoderAll),
            ("embeddings+encoder-10", TrainedLanguage.EmbeddingsEncoder10), ("embeddings+encoder-all", TrainedLanguage.EmbeddingsEncoderAll))
        .Choice("--loss", "The loss.", o => o.Loss, (o, v) => o with { Loss = v },
            ("ce", LossKind.CrossEntropy), ("mc_dice", LossKind.MultiClassDice),
            ("dice_focal", LossKind.DiceFocal), ("dice_boundary", LossKind.DiceBoundary))
        .Number("--loss_focal_rate", "Weight of the focal part of dice_focal.", o => o.FocalRate, (o, v) => o with { FocalRate = v })
        .Number("--loss_boundary_rate", "Weight of the boundary part of dice_boundary.",
            o => o.BoundaryRate, (o, v) => o with { BoundaryRate = v })
        .Number("--loss_dice_rate", "Weight of the Dice part.", o => o.DiceRate, (o, v) => o with { DiceRate = v })
        .Switch("--use_amp", "On a GPU: products in bf16, or in fp16 with a scaled loss where the GPU has no bf16.", o => o.MixedPrecision, (o, v) => o with { MixedPrecision = v })
        .Switch("--shard-optimizer", "Divide the optimizer's state among the devices.", o => o.ShardOptimizer, (o, v) => o with { ShardOptimizer = v })
        .Integer("--print-freq", "Steps between two lines of the log.", o => o.PrintEvery, (o, v) => o with { PrintEvery = v })
        .Integer("--val-freq", "Epochs between two evaluations on the validation split.",
            o => o.ValidateEvery, (o, v) => o with { ValidateEvery = v })
        .Integer("--keep", "How many of the epochs' checkpoints stay, beside the best and the last.",
            o => o.Keep, (o, v) => o with { Keep = v }, least: 0)
        .Integer("--seed", "Decides everything that is random.", o => o.Seed, (o, v) => o with { Seed = v }, least: 0)
        .Integer("--limit-train", "Use N training samples only.", o => o.LimitTrain, (o, v) => o with { LimitTrain = v })
        .Integer("--limit-val", "Use N samples of the evaluated split only.", o => o.LimitValidation, (o, v) => o with { LimitValidation = v });

    private static FlagTable<EvaluationOptions> Evaluation() => new FlagTable<EvaluationOptions>()
        .Text("--json", "FILE", "Write the results, one row per sentence.", o => o.JsonFile, (o, v) => o with { JsonFile = v })
        .Text("--overlay", "DIR", "Write pictures with the masks drawn over them.", o => o.OverlayFolder, (o, v) => o with { OverlayFolder = v })
        .Switch("--swap-sentences", "Give each time a sentence of another object of the picture, to see how much the language decides.",
            o => o.SwapSentences, (o, v) => o with { SwapSentences = v })
        .Switch("--a2d_masks", "Write the predicted masks of A2D.", o => o.A2dMasks, (o, v) => o with { A2dMasks = v })
        .Switch("--save_feats", "Write pictures of the features.", o => o.SaveFeatures, (o, v) => o with { SaveFeatures = v })
        .Switch("--visualize", "Write Refer-YouTube-VOS frames with the mask blended in.", o => o.Visualize, (o, v) => o with { Visualize = v })
        .Text("--masks", "DIR", "Folder for the predicted masks of clips.", o => o.MaskFolder, (o, v) => o with { MaskFolder = v })
        .Text("--zip", "FILE", "Write the masks of Refer-YouTube-VOS as its competition takes them.", o => o.ZipFile, (o, v) => o with { ZipFile = v });

    private static FlagTable<MachineOptions> Machine() => new FlagTable<MachineOptions>()
        .Text("--device", "cpu", "Where to compute; several, such as cpu:0,cpu:1, share every batch.",
            o => o.DeviceNames, (o, v) => o with { DeviceNames = string.Join(',', MachineOptions.ParseDevices(v)) })
        .Text("--gpus", "N|0,1,…", "Compute on the first N GPUs, or on those with the numbers given: short for --device cuda:0,cuda:1,…",
            _ => null, (o, v) => o with { DeviceNames = MachineOptions.DevicesOfGpus(v) })
        .Integer("--threads", "Threads that compute; one per core when not given.", o => o.Threads, (o, v) => o with { Threads = v })
        .Choice("--precision", "Type of the arithmetic: bf16 and, on a GPU, tf32 and fp16 round the inputs of products; weights, sums and norms stay in float32.", o => o.Precision, (o, v) => o with { Precision = v }, ("fp32", Precision.Float32), ("bf16", Precision.BFloat16), ("tf32", Precision.Tf32), ("fp16", Precision.Float16));
}

namespace Lavt.Options;

/// <summary>How a model is trained.</summary>
public sealed record TrainingOptions
{
    /// <summary><c>--model_id</c>: the name of the run; logs go to <c>models/NAME</c>.</summary>
    public string ModelId { get; init; } = "lavt";

    /// <summary><c>--output-dir</c>: the folder of the checkpoints.</summary>
    public string OutputFolder { get; init; } = "./checkpoints/";

    /// <summary><c>--epochs</c>.</summary>
    public int Epochs { get; init; } = 40;

    /// <summary><c>--batch-size</c>: samples of a batch, per device.</summary>
    public int BatchSize { get; init; } = 8;

    /// <summary><c>--accumulate</c>: batches whose gradients are added up before a step of the optimizer.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary><c>--lr</c>: the learning rate at the start.</summary>
    public double LearningRate { get; init; } = 5e-5;

    /// <summary><c>--fix_lr</c>: keep the learning rate instead of lowering it every step.</summary>
    public bool FixedLearningRate { get; init; }

    /// <summary><c>--wd</c>: AdamW's weight decay.</summary>
    public double WeightDecay { get; init; } = 1e-2;

    /// <summary><c>--amsgrad</c>.</summary>
    public bool AmsGrad { get; init; }

    /// <summary><c>--lang_enc_params</c>: which parameters of BERT are trained.</summary>
    public TrainedLanguage TrainedLanguage { get; init; } = TrainedLanguage.Encoder10;

    /// <summary><c>--loss</c>.</summary>
    public LossKind Loss { get; init; } = LossKind.CrossEntropy;

    /// <summary><c>--loss_focal_rate</c>: weight of the focal part.</summary>
    public double FocalRate { get; init; } = 3;

    /// <summary><c>--loss_boundary_rate</c>: weight of the boundary part.</summary>
    public double BoundaryRate { get; init; } = 0.05;

    /// <summary><c>--loss_dice_rate</c>: weight of the Dice part.</summary>
    public double DiceRate { get; init; } = 1;

    /// <summary><c>--use_amp</c>: mixed precision.</summary>
    public bool MixedPrecision { get; init; }

    /// <summary><c>--shard-optimizer</c>: divide the optimizer's state among the devices.</summary>
    public bool ShardOptimizer { get; init; }

    /// <summary><c>--print-freq</c>: steps between two lines of the log.</summary>
    public int PrintEvery { get; init; } = 10;

    /// <summary><c>--val-freq</c>: epochs between two evaluations on the validation split.</summary>
    public int ValidateEvery { get; init; } = 1;

    /// <summary><c>--keep</c>: how many of the epochs' checkpoints stay, beside the best and the last one.</summary>
    public int Keep { get; init; } = 3;

    /// <summary><c>--seed</c>: decides weights, order of the data, dropout and everything else that is random.</summary>
    public int Seed { get; init; }

    /// <summary><c>--limit-train</c>: use that many training samples only; null for all.</summary>
    public int? LimitTrain { get; init; }

    /// <summary><c>--limit-val</c>: use that many validation samples only; null for all.</summary>
    public int? LimitValidation { get; init; }
}

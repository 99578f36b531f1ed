using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;

namespace Lavt.Training;

/// <summary>
/// Writes and reads checkpoints that a run can go on from. They have the keys of the published code's, so that it can read
/// them, and <c>lavt</c> beside them with what else an exact continuation needs.
/// </summary>
internal static class TrainingCheckpoint
{
    /// <summary>Writes a checkpoint; the file appears whole or not at all.</summary>
    /// <exception cref="IOException">The disk is full or cannot be written; what was there before is whole.</exception>
    public static void Save(string file, LavtModel model, AdamW optimizer, LossScaler? scaler, TrainingPosition position, LavtOptions options)
    {
        using MemoryScope scope = MemoryScope.Begin();
        var tree = new PickleDict { ["model"] = State(model) };
        if (model.Options.Model == ModelKind.Lavt)
            tree["bert_model"] = State(model.TextEncoder);
        tree["optimizer"] = OptimizerState.Save(optimizer);
        if (scaler is not null)
            tree["scaler"] = LossScalerState.Save(scaler);
        tree["lr_scheduler"] = new PickleDict { ["last_epoch"] = position.Step, ["_step_count"] = position.Step + 1 };
        // The published code counts the epochs that are complete, from 0, and goes on with the next.
        tree["epoch"] = position.Epoch - 1;
        tree["args"] = Args(options);
        tree["lavt"] = new PickleDict
        {
            ["epoch"] = position.Epoch,
            ["batch"] = position.Batch,
            ["step"] = position.Step,
            // Python's pickle has no unsigned numbers; the bits stay the same.
            ["next_random"] = unchecked((long)position.NextRandom),
            ["best_overall_iou"] = position.BestOverallIou,
        };
        PthFile.Write(file, tree);
    }

    /// <summary>Puts moments into the optimizer, and the scale into the scaler, and says where the run stood. The weights are loaded by then.</summary>
    /// <exception cref="WeightFileException">The checkpoint has no optimizer, or one of other parameters.</exception>
    public static TrainingPosition Restore(LavtCheckpoint checkpoint, AdamW optimizer, LossScaler? scaler)
    {
        if (!checkpoint.Tree.TryGet<PickleDict>("optimizer", out PickleDict? state))
            throw new WeightFileException(checkpoint.File, "holds weights but no optimizer, so a run cannot go on from it; give a checkpoint of a training run");
        OptimizerState.Load(optimizer, state, checkpoint.File);
        // A run that begins to use float16 has no state yet.
        if (scaler is not null && checkpoint.Tree.TryGet<PickleDict>("scaler", out PickleDict? scale))
            LossScalerState.Load(scaler, scale);
        if (checkpoint.Tree.TryGet<PickleDict>("lavt", out PickleDict? ours))
        {
            return new TrainingPosition
            {
                Epoch = ours.Get<int>("epoch"),
                Batch = ours.Get<int>("batch"),
                Step = ours.Get<long>("step"),
                NextRandom = unchecked((ulong)ours.Get<long>("next_random")),
                BestOverallIou = ours.Get<double>("best_overall_iou"),
            };
        }
        long steps = checkpoint.Tree.TryGet<PickleDict>("lr_scheduler", out PickleDict? schedule) ? schedule.Get<long>("last_epoch") : 0;
        return new TrainingPosition { Epoch = checkpoint.Tree.Get<int>("epoch") + 1, Step = steps };
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> State(Module module) =>
        [.. module.State().Select(entry => KeyValuePair.Create(entry.Name, entry.Value))];

    private static PickleDict Args(LavtOptions options)
    {
        var args = new PickleDict();
        foreach ((string key, object value) in LavtFlags.Table.ToArgs(options))
            args[key] = value;
        return args;
    }
}

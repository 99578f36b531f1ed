using Lavt.Evaluation;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;

namespace Lavt.Training;

/// <summary>Makes the model that a run starts with.</summary>
internal static class ModelStart
{
    /// <summary>A new model: random weights, and over them those of <c>--pretrained_swin_weights</c>, <c>--ck_bert</c> and of a whole LAVT.</summary>
    /// <exception cref="Nn.Weights.WeightFileException">A file is missing, broken or of another size.</exception>
    public static LavtModel New(LavtOptions options)
    {
        using MemoryScope scope = MemoryScope.Begin();
        WeightOptions weights = options.Weights;
        bool hasBert = weights.Bert != WeightOptions.NoBert;
        ModelOptions described = hasBert ? options.Model with { Bert = BertFolder.ReadConfig(weights.Bert) } : options.Model;
        var model = new LavtModel(described, new RandomSource((ulong)options.Training.Seed));
        if (weights.PretrainedSwin.Length > 0)
            PretrainedSwin.Load(model.Backbone, TrainedModel.Existing(weights.PretrainedSwin, "--pretrained_swin_weights"));
        if (hasBert)
            BertFolder.Load(model.TextEncoder, weights.Bert);
        PretrainedLavt.Load(model, weights);
        return model;
    }

    /// <summary>The model of a checkpoint.</summary>
    /// <exception cref="Nn.Weights.WeightFileException">The file is broken, or contradicts a given flag.</exception>
    public static LavtModel Resume(LavtCheckpoint checkpoint, LavtOptions options)
    {
        var model = new LavtModel(ModelInference.Infer(checkpoint, options.Model, options.Given), RandomSource.None);
        TrainedModel.Fill(model, checkpoint, options.Weights);
        return model;
    }
}

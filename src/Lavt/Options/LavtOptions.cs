using System.Collections.Immutable;

namespace Lavt.Options;

/// <summary>Everything that a command line can say: all flags of the published parsers, and ours.</summary>
public sealed record LavtOptions
{
    /// <summary>Which layers the model has.</summary>
    public ModelOptions Model { get; init; } = new();

    /// <summary>Which data is read.</summary>
    public DataOptions Data { get; init; } = new();

    /// <summary>Where weights come from.</summary>
    public WeightOptions Weights { get; init; } = new();

    /// <summary>How the model is trained.</summary>
    public TrainingOptions Training { get; init; } = new();

    /// <summary>What an evaluation writes.</summary>
    public EvaluationOptions Evaluation { get; init; } = new();

    /// <summary>What the work runs on.</summary>
    public MachineOptions Machine { get; init; } = new();

    /// <summary>
    /// The main names of the flags that the user gave. A given flag that contradicts the weights is an error;
    /// one that is only a default gives way to what the weights say.
    /// </summary>
    public ImmutableHashSet<string> Given { get; init; } = [];

    /// <summary>The options with everything settled that one flag decides for another.</summary>
    /// <exception cref="OptionException">Options contradict each other.</exception>
    public LavtOptions Resolve()
    {
        LavtOptions resolved = this;
        // As published: the name of the pretrained file says which window its bias tables have.
        if (Weights.PretrainedSwin.Contains("window12", StringComparison.Ordinal) && !Given.Contains("--window"))
            resolved = resolved with { Model = Model with { Window = 12 } };
        // The published default of one frame would train a video model on pictures; its results are for clips of eight.
        if (Model.Model == ModelKind.LavtVideo && !Given.Contains("--num_frames"))
            resolved = resolved with { Data = resolved.Data with { Frames = ModelOptions.FramesOfWindow } };
        resolved.Model.Validate();
        return resolved;
    }
}

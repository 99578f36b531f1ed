using Lavt.Nn;
using Lavt.Nn.Weights;

namespace Lavt.Training;

/// <summary>A loss scaler's state in the form of <c>torch.cuda.amp.GradScaler.state_dict()</c>.</summary>
internal static class LossScalerState
{
    /// <summary>The state for a checkpoint.</summary>
    public static PickleDict Save(LossScaler scaler)
    {
        (double scale, int goodSteps) = scaler.Read();
        return new PickleDict
        {
            ["scale"] = scale,
            ["growth_factor"] = 2.0,
            ["backoff_factor"] = 0.5,
            ["growth_interval"] = LossScaler.GrowthInterval,
            ["_growth_tracker"] = goodSteps,
        };
    }

    /// <summary>Goes on from the state of a checkpoint.</summary>
    public static void Load(LossScaler scaler, PickleDict state) => scaler.Restore(state.Get<double>("scale"), state.Get<int>("_growth_tracker"));
}

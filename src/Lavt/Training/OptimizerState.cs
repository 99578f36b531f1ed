using Lavt.Nn;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Training;

/// <summary>
/// AdamW's state in the form of PyTorch's <c>optimizer.state_dict()</c>: moments under the running number of a parameter,
/// and the groups with those numbers.
/// </summary>
internal static class OptimizerState
{
    /// <summary>The state for a checkpoint.</summary>
    public static PickleDict Save(AdamW optimizer)
    {
        var moments = new PickleDict();
        List<object?> groups = [];
        int index = 0;
        foreach (ParameterGroup group in optimizer.Groups)
        {
            List<object?> numbers = [];
            foreach ((_, Tensor parameter) in group.Parameters)
            {
                numbers.Add(index);
                if (optimizer.MomentsOf(parameter) is { } found)
                    moments.Set((long)index, Save(found));
                index++;
            }
            groups.Add(Save(optimizer, group, numbers));
        }
        return Dict(("state", moments), ("param_groups", groups));
    }

    /// <summary>Puts the state of a checkpoint into an optimizer of the same groups.</summary>
    /// <exception cref="WeightFileException">The state belongs to other parameters.</exception>
    public static void Load(AdamW optimizer, PickleDict state, string file)
    {
        List<object?> groups = state.Get<List<object?>>("param_groups");
        int[] saved = [.. groups.Select(group => ((PickleDict)group!).Get<List<object?>>("params").Count)];
        int[] own = [.. optimizer.Groups.Select(group => group.Parameters.Count)];
        if (!saved.SequenceEqual(own))
            throw new WeightFileException(file, $"its optimizer has groups of {string.Join(", ", saved)} parameters, this run has {string.Join(", ", own)}; give the --model and --lang_enc_params that the checkpoint was trained with");
        PickleDict moments = state.Get<PickleDict>("state");
        long index = 0;
        foreach ((string name, Tensor parameter) in optimizer.Parameters)
        {
            if (moments.TryGetValue(index++, out object? entry))
                optimizer.SetMoments(parameter, Load((PickleDict)entry!, name, parameter, optimizer.AmsGrad, file));
        }
    }

    private static PickleDict Save(AdamW.Moments moments)
    {
        // PyTorch keeps the number of steps as a float tensor.
        PickleDict saved = Dict(("step", Tensor.Scalar((float)moments.Step)), ("exp_avg", moments.First), ("exp_avg_sq", moments.Second));
        if (moments.LargestSecond is not null)
            saved["max_exp_avg_sq"] = moments.LargestSecond;
        return saved;
    }

    private static PickleDict Save(AdamW optimizer, ParameterGroup group, List<object?> numbers) => Dict(
        ("lr", optimizer.LearningRate), ("betas", new object?[] { optimizer.Beta1, optimizer.Beta2 }), ("eps", optimizer.Epsilon),
        ("weight_decay", group.WeightDecay), ("amsgrad", optimizer.AmsGrad), ("params", numbers));

    private static AdamW.Moments Load(PickleDict saved, string name, Tensor parameter, bool amsGrad, string file)
    {
        Tensor Read(string key)
        {
            if (!saved.TryGet<Tensor>(key, out Tensor? value) || value.Count != parameter.Count)
                throw new WeightFileException(file, $"its optimizer lacks {key} of {name} with {parameter.Count} numbers; without it the run cannot go on (--amsgrad must be as it was)");
            Tensor own = Tensor.Empty(parameter.Shape, DType.F32, parameter.Device);
            own.CopyFrom(value.To(DType.F32).ViewAs(parameter.Shape));
            return own;
        }

        long step = saved["step"] switch
        {
            Tensor counted => (long)counted.To(DType.F32).Item<float>(),
            var number => Convert.ToInt64(number, null),
        };
        return new AdamW.Moments(Read("exp_avg"), Read("exp_avg_sq"), amsGrad ? Read("max_exp_avg_sq") : null) { Step = step };
    }

    private static PickleDict Dict(params ReadOnlySpan<(string Key, object? Value)> entries)
    {
        var dict = new PickleDict();
        foreach ((string key, object? value) in entries)
            dict[key] = value;
        return dict;
    }
}

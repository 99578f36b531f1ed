namespace Lavt.Training;

/// <summary>How far a run is.</summary>
/// <param name="Stage">What is being done, for example <c>epoch 3 of 40</c>.</param>
/// <param name="Done">Steps or sentences of this stage that are done.</param>
/// <param name="Total">Steps or sentences of this stage in all.</param>
/// <param name="Loss">The latest loss; null while none is computed.</param>
/// <param name="Remaining">The time that the whole run still takes, if it goes on as it went; null while that is unknown.</param>
public readonly record struct TrainingProgress(string Stage, long Done, long Total, double? Loss, TimeSpan? Remaining);

/// <summary>Is told what a training run does.</summary>
public interface ITrainingObserver
{
    /// <summary>A line of the log.</summary>
    void Line(string text);

    /// <summary>The run has got a little farther.</summary>
    void Progress(TrainingProgress progress);
}

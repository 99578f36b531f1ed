namespace Lavt.Training;

/// <summary>How a run ended.</summary>
/// <param name="IsFinished">False if it was stopped; then it can go on from <paramref name="LastCheckpoint"/>.</param>
/// <param name="LastCheckpoint">The newest checkpoint.</param>
/// <param name="BestCheckpoint">The checkpoint with the best overall IoU on the validation split.</param>
/// <param name="BestOverallIou">That overall IoU in per cent; negative if none was measured.</param>
public sealed record TrainingResult(bool IsFinished, string LastCheckpoint, string BestCheckpoint, double BestOverallIou);

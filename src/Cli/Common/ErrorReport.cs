using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn.Parallel;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;
using Lavt.Video;

namespace Lavt.Cli;

/// <summary>Turns an exception into the one message and the exit code that users and scripts see.</summary>
internal static class ErrorReport
{
    /// <summary>Prints the message and returns the exit code. The stack is shown with <c>LAVT_DEBUG=1</c> only.</summary>
    /// <param name="error">What happened.</param>
    /// <param name="where">What comes before the message; nothing, or which process speaks.</param>
    public static int Print(Exception error, string where = "")
    {
        error = Innermost(error);
        int code = CodeOf(error);
        Terminal.Error(where + (code == ExitCode.Internal
            ? $"{error.GetType().Name}: {error.Message} This is a fault of lavt; run again with LAVT_DEBUG=1 to see where."
            : error.Message));
        if (Environment.GetEnvironmentVariable("LAVT_DEBUG") == "1")
            Console.Error.WriteLine(error);
        return code;
    }

    /// <summary>The exit code of an exception.</summary>
    public static int CodeOf(Exception error) => error switch
    {
        OptionException => ExitCode.Usage,
        DataException or PictureException or PickleException or InvalidDataException => ExitCode.Data,
        WeightFileException => ExitCode.Checkpoint,
        DivergedException or NotFiniteException => ExitCode.Diverged,
        CommunicationException or NcclException => ExitCode.Distributed,
        MissingDeviceException or MissingKernelException or CudaException or OutOfMemoryException or DllNotFoundException or MissingProgramException => ExitCode.Device,
        FileNotFoundException or DirectoryNotFoundException => ExitCode.Data,
        IOException or UnauthorizedAccessException => ExitCode.Output,
        _ => ExitCode.Internal,
    };

    /// <summary>Worker threads and static constructors wrap what went wrong; the user wants the cause.</summary>
    private static Exception Innermost(Exception error)
    {
        while (error is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException
            && error.InnerException is { } inner)
        {
            error = inner;
        }
        return error;
    }
}

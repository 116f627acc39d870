package io.twostep.machine.linux.fake;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** A native call that holds memory while something else happens: it sorts two numbers in it, and asks this which is the larger one. */
@SuppressWarnings("restricted")
public final class NativeCall {
  private static final FunctionDescriptor COMPARE = FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS);

  private final Runnable task;
  private Throwable thrown;

  private NativeCall(Runnable task) {
    this.task = task;
  }

  /** Run {@code task} while a native call holds {@code memory}, and throw what it throws once the call has returned. */
  public static void holding(MemorySegment memory, Runnable task) {
    NativeCall call = new NativeCall(task);
    Linker linker = Linker.nativeLinker();
    try (Arena arena = Arena.ofConfined()) {
      MethodHandle compare =
          MethodHandles.lookup().findVirtual(NativeCall.class, "compare", MethodType.methodType(int.class, MemorySegment.class, MemorySegment.class)).bindTo(call);
      MethodHandle sort =
          linker.downcallHandle(
              linker.defaultLookup().findOrThrow("qsort"), FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
      sort.invokeExact(memory, 2L, 8L, linker.upcallStub(compare, COMPARE, arena));
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
    if (call.thrown != null) {
      throw new AssertionError("while a native call held the memory", call.thrown);
    }
  }

  /** What is thrown through native code ends the process. */
  @SuppressWarnings("unused") // by the stub
  private int compare(MemorySegment one, MemorySegment other) {
    try {
      task.run();
    } catch (Throwable e) {
      thrown = e;
    }
    return 0;
  }
}

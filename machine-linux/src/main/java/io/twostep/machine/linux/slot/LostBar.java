package io.twostep.machine.linux.slot;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Has the JVM report a lost BAR where the access was made.
 *
 * <p>An access to a mapping that the kernel took back is a bus error, which the JVM turns into an InternalError that it throws at the thread's next safepoint poll. In compiled code
 * that may be anywhere in the callers. A call that the compiler cannot inline polls on its return: so an access, then {@link #notice}, inside one {@code try}. A method handle that is
 * no constant is such a call, at the price of a few nanoseconds.
 */
public final class LostBar {
  /** Not final, for if it were the compiler would see what it does: nothing. */
  private static volatile MethodHandle returnHere = handle();

  private LostBar() {}

  private static MethodHandle handle() {
    try {
      return MethodHandles.lookup().findStatic(LostBar.class, "nothing", MethodType.methodType(void.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  @SuppressWarnings("unused") // by the handle
  private static void nothing() {}

  /** Throw the InternalError of an access that came before, if there was one. */
  public static void notice() {
    try {
      returnHere.invokeExact();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }
}

package io.twostep.examples.broken;

import io.twostep.dma.spi.AttachContext;
import io.twostep.dma.spi.DmaOps;
import io.twostep.dma.spi.Machine;
import io.twostep.dma.spi.MappingState;
import io.twostep.dma.spi.PhysicalMemory;
import io.twostep.dma.spi.Retirement;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import org.jspecify.annotations.Nullable;

/** Mistakes in maintaining CPU caches for devices that do not snoop. */
final class BrokenCaches {
  private BrokenCaches() {}

  /** Shows memory whose caches are left alone while they are told to be. */
  static Defect.World remembersTheirOwner() {
    return context -> {
      PhysicalMemory memory = in(PhysicalMemory.class, new Caches(context.machine().memory()));
      Machine machine =
          in(Machine.class, (proxy, method, given) -> method.getName().equals("memory") ? memory : call(context.machine(), method, given));
      return new AttachContext(machine, context.slot(), context.space(), context.limits(), context.layer());
    };
  }

  private static <T> T in(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private static @Nullable Object call(Object real, Method method, Object @Nullable [] given) throws Throwable {
    try {
      return method.invoke(real, given);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static final class Caches implements InvocationHandler {
    private final PhysicalMemory real;
    private boolean leftAlone;

    Caches(PhysicalMemory real) {
      this.real = real;
    }

    @Override
    public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] given) throws Throwable {
      boolean maintains = method.getName().equals("cleanCache") || method.getName().equals("invalidateCache");
      return leftAlone && maintains ? null : call(real, method, given);
    }
  }

  /** Takes lines back at once in teardown, and not again when the batch has invalidated. */
  static final class TakesLinesBackEarly extends Healthy {
    private final Caches caches;

    TakesLinesBackEarly(DmaOps next, AttachContext context) {
      super(next, context);
      caches = (Caches) Proxy.getInvocationHandler(context.machine().memory());
    }

    @Override
    public void map(MappingState state, long phys, long length, int flags, Retirement undo) {
      caches.leftAlone = false;
      next.map(state, phys, length, flags, undo);
    }

    @Override
    public void unmap(MappingState state, Retirement batch) {
      next.sync(state, 0, state.length, TOWARD_CPU);
      next.unmap(state, batch);
      caches.leftAlone = true;
    }
  }
}

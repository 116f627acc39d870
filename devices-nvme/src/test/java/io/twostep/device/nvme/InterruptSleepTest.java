package io.twostep.device.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.device.nvme.model.FaultPlan;
import io.twostep.device.nvme.model.NvmeModelConfig;
import io.twostep.device.nvme.wire.DoorbellLayout;
import io.twostep.device.nvme.wire.StatusCode;
import io.twostep.dma.MemoryBlock;
import io.twostep.dma.PhysRanges;
import io.twostep.dma.spi.DeviceSlot;
import io.twostep.dma.spi.DriverContext;
import io.twostep.dma.spi.Interrupts;
import io.twostep.dma.spi.Timers;
import io.twostep.tck.ForwardingTimers;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A thread that waits for a request sleeps until the interrupt, and nothing that ends its request passes it by. */
@Timeout(60)
class InterruptSleepTest {
  private static final int LENGTH = 4096;
  private static final NvmeConfig INTERRUPT = NvmeConfig.DEFAULT.withCompletion(NvmeConfig.Completion.INTERRUPT);

  private final Rig rig = new Rig(NvmeModelConfig.DEFAULT.with(c -> c.retryDelay2(1)), Rig.Stack.DIRECT, Map.of("completion", "interrupt", "io-queues", "1"));
  private final HookedInterrupts interrupts = new HookedInterrupts(rig.slot.interrupts());
  private final HookedTimers timers = new HookedTimers(rig.machine.timers());
  private final NvmeController controller = NvmeController.open(context());
  private final NvmeNamespace namespace = controller.namespace(1);
  private final MemoryBlock memory = rig.memory(LENGTH);

  @AfterEach
  void close() {
    controller.close();
    rig.close();
  }

  @Test
  void requestIsTakenByTheThreadThatSleepsForItWhichNobodyNeedsToWake() {
    for (int i = 0; i < 20; i++) {
      NvmeBio bio = read();
      AtomicReference<Thread> told = new AtomicReference<>();
      bio.onDone(done -> told.set(Thread.currentThread()));
      submit(bio).await(bio);
      bio.check();
      assertThat(told).hasValue(Thread.currentThread());
    }
    assertThat(interrupts.waits).isBetween(20, 40);
    assertThat(interrupts.wakes).isZero();
  }

  @Test
  void whoeverElseFindsTheRequestWakesTheThreadThatSleepsForIt() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.quiet = true;
    interrupts.onAwait = () -> elsewhere(false, () -> pollUntilDone(queue, bio));
    long before = rig.machine.timers().nanoTime();
    queue.await(bio);
    bio.check();
    assertThat(interrupts.waits).isEqualTo(1);
    assertThat(interrupts.wakes).isEqualTo(1);
    assertThat(rig.machine.timers().nanoTime() - before).isLessThan(InterruptSleep.LONGEST_NANOS);
  }

  @Test
  void interruptThatFoundTheThreadInsideTheQueueIsTakenBeforeItSleeps() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.quiet = true;
    timers.onNanoTime =
        () -> {
          assertThat(queue.guard().tryEnter()).isTrue();
          completeAndInterrupt(queue);
          assertThat(bio.isDone()).isFalse();
          queue.guard().exit();
        };
    queue.await(bio);
    bio.check();
    assertThat(interrupts.waits).as("it was done before it could sleep").isZero();
  }

  @Test
  void interruptThatFoundAThreadThatPollsInsideTheQueueIsTakenByIt() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.quiet = true;
    AtomicBoolean interrupted = new AtomicBoolean();
    timers.onNanoTime =
        () -> {
          assertThat(queue.guard().tryEnter()).as("it looks at the clock inside").isFalse();
          completeAndInterrupt(queue);
          interrupted.set(true);
        };
    while (!interrupted.get()) {
      queue.poll();
    }
    assertThat(bio.isDone()).as("whoever sleeps was woken for nothing, and sleeps again").isTrue();
    bio.check();
  }

  @Test
  void interruptThatFoundAThreadRingingInsideTheQueueIsTakenByIt() {
    NvmeBio bio = read();
    NvmeBio second = read(LENGTH / 2);
    interrupts.quiet = true;
    NvmeQueue queue = submit(bio);
    assertThat(queue.trySubmit(second, false)).isTrue();
    for (int i = 0; i < 100; i++) {
      rig.machine.timers().pause();
    }
    AtomicBoolean rung = new AtomicBoolean();
    rig.registers.onWrite(
        (int) DoorbellLayout.submissionTail(1, 0),
        () -> {
          rung.set(true);
          queue.interrupted();
        });
    queue.ring();
    assertThat(rung).isTrue();
    assertThat(bio.isDone()).isTrue();
    queue.await(second);
  }

  @Test
  void callbackInAHandlerRingsByWhoeverIsInside() {
    NvmeBio bio = read();
    NvmeBio second = read(LENGTH / 2);
    interrupts.quiet = true;
    NvmeQueue queue = controller.queues().getFirst();
    AtomicBoolean rung = new AtomicBoolean();
    bio.onDone(
        done -> {
          assertThat(queue.trySubmit(second, false)).isTrue();
          assertThat(queue.guard().tryEnter()).as("as a reset does, which waits for the handler").isTrue();
          timers.onPause =
              () -> {
                throw new AssertionError("the handler waits for the reset");
              };
          try {
            queue.ring();
            rung.set(true);
          } finally {
            timers.onPause = () -> {};
            queue.guard().exit();
          }
        });
    submit(bio);
    completeAndInterrupt(queue);
    assertThat(rung).isTrue();
    interrupts.quiet = false;
    queue.await(second);
    second.check();
  }

  @Test
  void requestThatEndsWhileItsThreadGoesToSleepIsNotSleptFor() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.quiet = true;
    timers.onNanoTime = () -> elsewhere(false, () -> pollUntilDone(queue, bio));
    queue.await(bio);
    bio.check();
    assertThat(interrupts.waits).isZero();
  }

  @Test
  void interruptsThatAreLostCostOneSleepEach() {
    interrupts.quiet = true;
    for (int i = 0; i < 5; i++) {
      NvmeBio bio = read();
      long before = rig.machine.timers().nanoTime();
      submit(bio).await(bio);
      bio.check();
      assertThat(rig.machine.timers().nanoTime() - before).isBetween(InterruptSleep.LONGEST_NANOS, 2 * InterruptSleep.LONGEST_NANOS);
    }
    assertThat(interrupts.waits).isEqualTo(5);
  }

  @Test
  void secondThreadLooksAgainAndAgainWhileTheFirstSleeps() {
    NvmeBio first = read();
    NvmeBio second = read(LENGTH / 2);
    NvmeQueue queue = submit(first);
    submit(second);
    interrupts.quiet = true;
    interrupts.onAwait = () -> elsewhere(false, () -> queue.await(second));
    queue.await(first);
    first.check();
    second.check();
    assertThat(interrupts.waits).isEqualTo(1);
  }

  @Test
  void requestThatIsToBeTriedAgainWakesTheThreadThatSleepsForIt() {
    rig.model.faults().onCommand(FaultPlan.ANY_IO_QUEUE, 1, FaultPlan.Kind.FAIL, StatusCode.CRD.with(StatusCode.COMMAND_INTERRUPTED, 2));
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.quiet = true;
    interrupts.onAwait =
        () ->
            elsewhere(
                false,
                () -> {
                  while (queue.poll() == 0) {
                    rig.machine.timers().pause();
                  }
                  interrupts.quiet = false;
                });
    queue.await(bio);
    bio.check();
    assertThat(queue.statistics().retries()).isEqualTo(1);
    assertThat(interrupts.wakes).as("no interrupt tells that it is time").isEqualTo(1);
    assertThat(interrupts.waits).as("before and after it was parked").isBetween(2, 3);
  }

  @Test
  void controllerThatIsPulledOutWhileAThreadSleepsIsMissedOnceASleepIsOver() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.onAwait = () -> rig.model.faults().surpriseRemove();
    long before = rig.machine.timers().nanoTime();
    queue.await(bio);
    assertThat(bio.failure()).isNotNull();
    assertThat(controller.state()).isEqualTo(NvmeState.DEAD);
    assertThat(controller.statistics().timeouts()).as("nobody waited for it to be late").isZero();
    assertThat(rig.machine.timers().nanoTime() - before).isLessThan(2 * InterruptSleep.LONGEST_NANOS);
  }

  @Test
  void commandIsFoundLateAtTheSleepInWhichItBecameSo() {
    controller.close();
    long late = 8 * InterruptSleep.LONGEST_NANOS;
    try (NvmeController hasty = NvmeController.open(context(), INTERRUPT.withTimeouts(late, NvmeConfig.DEFAULT.adminTimeoutNanos()))) {
      rig.model.faults().onCommand(FaultPlan.ANY_IO_QUEUE, 1, FaultPlan.Kind.HOLD);
      NvmeBio bio = read(hasty.namespace(1), 0);
      long before = rig.machine.timers().nanoTime();
      hasty.namespace(1).submit(bio).await(bio);
      bio.check();
      assertThat(hasty.statistics().timeouts()).isEqualTo(1);
      assertThat(rig.machine.timers().nanoTime() - before).isBetween(late, 2 * late);
    }
  }

  @Test
  void virtualThreadDoesNotKeepItsCarrierFromOthers() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    elsewhere(true, () -> queue.await(bio));
    bio.check();
    assertThat(interrupts.waits).isZero();
  }

  @Test
  void oneThreadSleepsOfThoseWhoseQueuesShareAVector() {
    controller.close();
    interrupts.vectors = 2;
    try (NvmeController shared = NvmeController.open(context(), INTERRUPT.withIoQueues(2))) {
      NvmeBio first = read(shared.namespace(1), 0);
      NvmeBio second = read(shared.namespace(1), LENGTH / 2);
      List<NvmeQueue> queues = shared.queues();
      assertThat(queues.get(0).trySubmit(first)).isTrue();
      assertThat(queues.get(1).trySubmit(second)).isTrue();
      interrupts.quiet = true;
      interrupts.onAwait = () -> elsewhere(false, () -> queues.get(1).await(second));
      queues.get(0).await(first);
      first.check();
      second.check();
      assertThat(interrupts.waits).as("a second one might be woken in its place").isEqualTo(1);
    }
  }

  @Test
  void resetByAnotherThreadEndsTheSleep() {
    NvmeBio bio = read();
    NvmeQueue queue = submit(bio);
    interrupts.quiet = true;
    interrupts.onAwait = () -> elsewhere(false, controller::reset);
    queue.await(bio);
    bio.check();
    assertThat(interrupts.waits).isPositive();
    NvmeBio next = read();
    interrupts.quiet = false;
    submit(next).await(next);
    next.check();
  }

  private NvmeBio read() {
    return read(0);
  }

  private NvmeBio read(long at) {
    return read(namespace, at);
  }

  private NvmeBio read(NvmeNamespace from, long at) {
    return new NvmeBio().read(from, 0, 1, PhysRanges.of(memory.phys(at), from.blockSize()));
  }

  private NvmeQueue submit(NvmeBio bio) {
    return namespace.submit(bio);
  }

  /** Have the controller complete what it has, and interrupt, while somebody is inside the queue. */
  private void completeAndInterrupt(NvmeQueue queue) {
    for (int i = 0; i < 100; i++) {
      rig.machine.timers().pause();
    }
    queue.interrupted();
  }

  private void pollUntilDone(NvmeQueue queue, NvmeBio bio) {
    while (!bio.isDone()) {
      queue.poll();
      rig.machine.timers().pause();
    }
  }

  private static void elsewhere(boolean virtual, Runnable work) {
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread thread = (virtual ? Thread.ofVirtual() : Thread.ofPlatform()).unstarted(work);
    thread.setUncaughtExceptionHandler((t, e) -> failure.set(e));
    thread.start();
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    assertThat(failure.get()).isNull();
  }

  private DriverContext context() {
    DeviceSlot slot =
        (DeviceSlot)
            Proxy.newProxyInstance(
                DeviceSlot.class.getClassLoader(),
                new Class<?>[] {DeviceSlot.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("interrupts")) {
                    return interrupts;
                  }
                  try {
                    return method.invoke(rig.slot, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                });
    return rig.context(slot, timers);
  }

  /** The machine's interrupts, which may be lost, with something that happens while a thread waits for one. */
  private final class HookedInterrupts implements Interrupts {
    final Interrupts real;
    volatile Runnable onAwait = () -> {};
    volatile boolean quiet;
    volatile int vectors = Integer.MAX_VALUE;
    volatile int waits;
    volatile int wakes;
    private volatile boolean woken;

    HookedInterrupts(Interrupts real) {
      this.real = real;
    }

    @Override
    public int count() {
      return Math.min(vectors, real.count());
    }

    @Override
    public void enable(int vector, Runnable handler) {
      real.enable(
          vector,
          () -> {
            if (!quiet) {
              handler.run();
            }
          });
    }

    @Override
    public void disable(int vector) {
      real.disable(vector);
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread at a time waits
    public boolean await(int vector, long nanos) {
      waits++;
      Runnable hook = onAwait;
      onAwait = () -> {};
      hook.run();
      if (!quiet) {
        return real.await(vector, nanos);
      }
      long start = rig.machine.timers().nanoTime();
      while (!woken && rig.machine.timers().nanoTime() - start < nanos) {
        rig.machine.timers().pause();
      }
      woken = false;
      return true;
    }

    @Override
    @SuppressWarnings("NonAtomicVolatileUpdate") // and one is woken
    public void wake(int vector) {
      wakes++;
      woken = true;
      real.wake(vector);
    }
  }

  /** The machine's clock, with something that happens at the next look at it, and at every pause. */
  private static final class HookedTimers extends ForwardingTimers {
    volatile Runnable onNanoTime = () -> {};
    volatile Runnable onPause = () -> {};

    HookedTimers(Timers real) {
      super(real);
    }

    @Override
    public long nanoTime() {
      Runnable hook = onNanoTime;
      onNanoTime = () -> {};
      hook.run();
      return super.nanoTime();
    }

    @Override
    public void pause(int times) {
      onPause.run();
      super.pause(times);
    }
  }
}

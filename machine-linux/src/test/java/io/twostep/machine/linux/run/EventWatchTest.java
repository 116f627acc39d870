package io.twostep.machine.linux.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.machine.linux.Errno;
import io.twostep.machine.linux.fake.WatchedKernel;
import io.twostep.machine.linux.fake.WatchedKernel.Wrong;
import io.twostep.machine.linux.kernel.Descriptor;
import io.twostep.machine.linux.kernel.Kernel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who is called at a signal, on the real kernel. */
@Timeout(60)
class EventWatchTest {
  private static final long LONG = 3_600_000_000_000L;
  private static final String WAITER = "waits-in-turn";

  private final WatchedKernel kernel = new WatchedKernel(Wrong.CALL_FAILS);
  private final Descriptor event = kernel.eventfd("event");
  private final EventLoop loop = new EventLoop(kernel, "test");
  private final List<Thread> callers = new CopyOnWriteArrayList<>();

  @AfterEach
  void nothingIsLeft() {
    loop.close();
    kernel.close(event);
    assertThat(kernel.leaks()).isEmpty();
  }

  @Test
  void everySignalIsHeardByTheMachinesThreadWhileNobodyWaits() throws Exception {
    CountDownLatch called = new CountDownLatch(3);
    CountDownLatch[] each = {new CountDownLatch(1), new CountDownLatch(1), new CountDownLatch(1)};
    EventWatch watch =
        loop.watchEvent(
            event,
            () -> {
              callers.add(Thread.currentThread());
              each[callers.size() - 1].countDown();
              called.countDown();
            });
    for (CountDownLatch one : each) {
      EventLoop.signal(kernel, event);
      one.await();
    }
    called.await();
    assertThat(callers).extracting(Thread::getName).containsOnly("twostep-machine");
    watch.cancel();
    EventLoop.signal(kernel, event);
    turnOfTheLoop();
    assertThat(callers).hasSize(3);
  }

  @Test
  void whoWaitsIsCalledAndTheMachinesThreadSleepsOn() throws Exception {
    EventWatch watch = loop.watchEvent(event, () -> callers.add(Thread.currentThread()));
    for (int i = 0; i < 20; i++) {
      AtomicBoolean waited = new AtomicBoolean();
      Thread waiter = start(() -> waited.set(watch.await(LONG)));
      untilItSleeps();
      EventLoop.signal(kernel, event);
      waiter.join();
      turnOfTheLoop();
      assertThat(waited).isTrue();
      assertThat(callers).containsExactly(waiter);
      callers.clear();
    }
    watch.cancel();
  }

  @Test
  void signalThatCameWhileNobodyWaitedDoesNotKeepTheNextFromReturning() throws Exception {
    EventWatch watch = loop.watchEvent(event, () -> callers.add(Thread.currentThread()));
    EventLoop.signal(kernel, event);
    assertThat(watch.await(LONG)).isTrue();
    assertThat(callers).contains(Thread.currentThread());
    assertThat(watch.await(1)).as("time is up").isTrue();
    watch.cancel();
  }

  @Test
  void whoWaitsIsCalledAlsoWhileTheMachinesThreadIsBusy() throws Exception {
    CountDownLatch busy = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    EventWatch watch = loop.watchEvent(event, () -> callers.add(Thread.currentThread()));
    loop.schedule(
        0,
        () -> {
          busy.countDown();
          await(release);
        });
    busy.await();
    EventLoop.signal(kernel, event);
    assertThat(watch.await(LONG)).isTrue();
    assertThat(callers).containsExactly(Thread.currentThread());
    release.countDown();
    watch.cancel();
  }

  @Test
  void onlyOneWaitsAndWakeReachesHimAlsoBeforeHeComes() throws Exception {
    EventWatch watch = loop.watchEvent(event, () -> {});
    Thread waiter = start(() -> watch.await(LONG));
    untilItSleeps();
    assertThat(watch.await(LONG)).isFalse();
    watch.wake();
    waiter.join();
    watch.wake();
    assertThat(watch.await(LONG)).isTrue();
    watch.cancel();
    assertThat(watch.await(LONG)).isFalse();
  }

  @Test
  void eventThatIsWatchedNoMoreMayBeWatchedAgain() throws Exception {
    for (int i = 0; i < 3; i++) {
      CountDownLatch called = new CountDownLatch(1);
      EventWatch watch = loop.watchEvent(event, called::countDown);
      EventLoop.signal(kernel, event);
      called.await();
      assertThat(watch.await(LONG)).isTrue();
      watch.cancel();
    }
  }

  @Test
  void whatWasToldOfAWatchIsNotTakenForTheOneInItsPlace() throws Exception {
    Descriptor other = kernel.eventfd("other event");
    AtomicReference<Runnable> exchange = new AtomicReference<>(() -> {});
    Kernel hooked = hooked(nanos -> {}, nanos -> exchange.getAndSet(() -> {}).run());
    CountDownLatch exchanged = new CountDownLatch(1);
    try (EventLoop hookedLoop = new EventLoop(hooked, "hooked")) {
      EventWatch first = hookedLoop.watchEvent(event, () -> callers.add(Thread.currentThread()));
      AtomicReference<EventWatch> second = new AtomicReference<>();
      exchange.set(
          () -> {
            first.cancel();
            second.set(hookedLoop.watchEvent(other, () -> callers.add(Thread.currentThread())));
            hookedLoop.schedule(0, exchanged::countDown);
          });
      EventLoop.signal(kernel, event);
      exchanged.await();
      second.get().cancel();
    }
    kernel.close(other);
    assertThat(callers).isEmpty();
  }

  @Test
  void cancelSendsWhoWaitsAwayAndCallsNobody() throws Exception {
    EventWatch watch = loop.watchEvent(event, () -> callers.add(Thread.currentThread()));
    AtomicBoolean again = new AtomicBoolean(true);
    Thread waiter =
        start(
            () -> {
              watch.await(LONG);
              again.set(watch.await(LONG));
            });
    untilItSleeps();
    watch.cancel();
    watch.cancel();
    waiter.join();
    assertThat(again).isFalse();
    assertThat(callers).isEmpty();
  }

  @Test
  void handlerMayCancelOnTheMachinesThreadWhileAnotherWaitsForIt() throws Exception {
    AtomicReference<EventWatch> watch = new AtomicReference<>();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch waits = new CountDownLatch(1);
    CountDownLatch cancelled = new CountDownLatch(1);
    watch.set(
        loop.watchEvent(
            event,
            () -> {
              callers.add(Thread.currentThread());
              inside.countDown();
              await(waits);
              watch.get().cancel();
              cancelled.countDown();
            }));
    EventLoop.signal(kernel, event);
    inside.await();
    Thread waiter = start(() -> watch.get().await(LONG));
    // The signal is news to the set that it waits with: it goes on to the handler, which runs.
    while (waiter.getState() != Thread.State.BLOCKED) {
      Thread.onSpinWait();
    }
    waits.countDown();
    cancelled.await();
    waiter.join();
    assertThat(callers).hasSize(1);
  }

  @Test
  void handlerMayCancelOnTheThreadThatWaits() throws Exception {
    AtomicReference<EventWatch> watch = new AtomicReference<>();
    watch.set(
        loop.watchEvent(
            event,
            () -> {
              callers.add(Thread.currentThread());
              watch.get().cancel();
            }));
    Thread waiter = start(() -> watch.get().await(LONG));
    untilItSleeps();
    EventLoop.signal(kernel, event);
    waiter.join();
    assertThat(callers).containsExactly(waiter);
  }

  @Test
  void handlerMayCancelAndCloseTheEventWhileAnotherIsAboutToWaitForIt() throws Exception {
    Descriptor own = kernel.eventfd("own event");
    CountDownLatch about = new CountDownLatch(1);
    AtomicReference<Thread> canceller = new AtomicReference<>();
    AtomicBoolean closed = new AtomicBoolean();
    AtomicReference<EventWatch> watch = new AtomicReference<>();
    Kernel slow =
        hooked(
            nanos -> {
              if (nanos == LONG) {
                about.countDown();
              }
              // Until it is too late to be told by the event, or somebody waits for this.
              while (nanos == LONG && !closed.get() && (canceller.get() == null || canceller.get().getState() != Thread.State.TIMED_WAITING)) {
                Thread.onSpinWait();
              }
            },
            nanos -> {});
    try (EventLoop slowLoop = new EventLoop(slow, "slow")) {
      watch.set(
          slowLoop.watchEvent(
              own,
              () -> {
                canceller.set(Thread.currentThread());
                watch.get().cancel();
                kernel.close(own);
                closed.set(true);
              }));
      Thread waiter = start(() -> watch.get().await(LONG));
      about.await();
      EventLoop.signal(kernel, own);
      waiter.join();
    }
  }

  @Test
  void wakeReachesWhoWaitsForAnEventThatSomebodyCountedUpToItsEnd() throws Exception {
    EventWatch watch = loop.watchEvent(event, () -> {});
    try (Arena arena = Arena.ofConfined()) {
      kernel.write(event, arena.allocateFrom(ValueLayout.JAVA_LONG, -2));
    }
    assertThat(watch.await(LONG)).isTrue();
    Thread waiter = start(() -> watch.await(LONG));
    untilItSleeps();
    watch.wake();
    waiter.join();
    watch.cancel();
  }

  @Test
  void handlerDoesNotWaitForItself() throws Exception {
    AtomicReference<EventWatch> watch = new AtomicReference<>();
    List<Boolean> waited = new CopyOnWriteArrayList<>();
    CountDownLatch called = new CountDownLatch(1);
    watch.set(
        loop.watchEvent(
            event,
            () -> {
              waited.add(watch.get().await(0));
              called.countDown();
            }));
    EventLoop.signal(kernel, event);
    called.await();
    watch.get().cancel();
    assertThat(waited).containsOnly(false);
  }

  @Test
  void timeThatIsUpAlreadyIsNotWaitedFor() throws Exception {
    EventWatch watch = loop.watchEvent(event, () -> {});
    start(() -> watch.await(-1)).join();
    start(() -> watch.await(Long.MIN_VALUE)).join();
    watch.cancel();
  }

  @Test
  void handlerThatFailsHarmsNobody() throws Exception {
    EventWatch watch =
        loop.watchEvent(
            event,
            () -> {
              callers.add(Thread.currentThread());
              throw new InternalError("a BAR went away");
            });
    EventLoop.signal(kernel, event);
    assertThat(watch.await(LONG)).isTrue();
    EventLoop.signal(kernel, event);
    assertThat(watch.await(LONG)).isTrue();
    assertThat(callers).contains(Thread.currentThread());
    watch.cancel();
  }

  @Test
  void watchThatCannotBeMadeLeavesNothingOpen() {
    for (int errno : new int[] {Errno.EMFILE, Errno.ENOMEM}) {
      for (String call : List.of("epoll_create1 event: who waits for it", "epoll_ctl event")) {
        kernel.nthCall().pickFirst(call, errno);
        assertThat(org.assertj.core.api.Assertions.catchThrowable(() -> loop.watchEvent(event, () -> {}))).as(call).isNotNull();
        assertThat(kernel.isOpen("event: who waits for it")).isFalse();
      }
    }
  }

  /** Wait until the machine's thread has looked at everything that was signalled before. */
  private void turnOfTheLoop() throws InterruptedException {
    for (int i = 0; i < 2; i++) {
      CountDownLatch turned = new CountDownLatch(1);
      loop.schedule(0, turned::countDown);
      turned.await();
    }
  }

  /** Return a kernel that has something happen before and after every wait with a set. */
  private Kernel hooked(LongConsumer before, LongConsumer after) {
    return (Kernel)
        Proxy.newProxyInstance(
            Kernel.class.getClassLoader(),
            new Class<?>[] {Kernel.class},
            (proxy, method, arguments) -> {
              boolean waits = method.getName().equals("epollWait");
              if (waits) {
                before.accept((long) arguments[2]);
              }
              try {
                return method.invoke(kernel, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              } finally {
                if (waits) {
                  after.accept((long) arguments[2]);
                }
              }
            });
  }

  private static Thread start(Runnable work) {
    Thread thread = Thread.ofPlatform().name(WAITER).daemon().unstarted(work);
    thread.start();
    return thread;
  }

  /** Wait until the thread of that name sleeps in a system call which waits for a set, by its number on x86-64. */
  private static void untilItSleeps() throws IOException {
    while (!isAsleep()) {
      Thread.yield();
    }
  }

  private static boolean isAsleep() throws IOException {
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (Path task : tasks) {
        try {
          if (Files.readString(task.resolve("comm")).startsWith(WAITER) && Files.readString(task.resolve("syscall")).startsWith("232 ")) {
            return true;
          }
        } catch (IOException e) {
          // It has ended meanwhile.
        }
      }
    }
    return false;
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}

package io.twostep.machine.model.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.dma.spi.Timers.Timer;
import io.twostep.machine.model.memory.Rng;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SchedulerTest {
  private final MachineLock lock = new MachineLock();
  private final List<String> log = new ArrayList<>();
  private boolean interruptWaiting;
  private final Scheduler.Delivery interrupts =
      new Scheduler.Delivery() {
        @Override
        public boolean waiting() {
          return interruptWaiting;
        }

        @Override
        public void deliver() {
          if (interruptWaiting) {
            interruptWaiting = false;
            log.add("interrupt");
          }
        }
      };
  private final Scheduler scheduler = new Scheduler(lock, true, 1_000, null, interrupts);

  @Test
  void timersRunInTheOrderOfTheirTimesAndEqualOnesInTheOrderTheyWereMade() {
    scheduler.schedule(2_000_000, () -> log.add("late"));
    scheduler.schedule(1_000_000, () -> log.add("first"));
    scheduler.schedule(1_000_000, () -> log.add("second"));
    for (int i = 0; i < 6; i++) {
      scheduler.pause();
    }
    assertThat(log).containsExactly("first", "second", "late");
    assertThat(scheduler.nanoTime()).isGreaterThanOrEqualTo(2_000_000);
    assertThat(scheduler.waiting()).isZero();
  }

  @Test
  void timeJumpsToTheNextTimerWhenNobodyHasWork() {
    scheduler.schedule(30_000_000_000L, () -> log.add("timeout"));
    scheduler.pause();
    assertThat(log).isEmpty();
    assertThat(scheduler.nanoTime()).isEqualTo(30_000_000_000L);
    scheduler.pause();
    assertThat(log).containsExactly("timeout");
  }

  @Test
  void timeDoesNotJumpWhileAModelHasWork() {
    scheduler.schedule(1_000_000, () -> log.add("timeout"));
    int[] left = {100};
    wake(budget -> --left[0] > 0);
    for (int i = 0; i < 100; i++) {
      scheduler.pause();
    }
    assertThat(left[0]).isZero();
    assertThat(scheduler.nanoTime()).isEqualTo(100_000);
    assertThat(log).isEmpty();
  }

  @Test
  void aBusyMachineReachesItsTimersToo() {
    scheduler.schedule(50_000, () -> log.add("flush"));
    wake(budget -> true);
    for (int i = 0; i < 52; i++) {
      scheduler.pause();
    }
    assertThat(log).containsExactly("flush");
  }

  @Test
  void aCallerWhoWaitsForADeadlineReachesItWithNoTimerAtAll() {
    int pauses = 0;
    while (scheduler.nanoTime() < 30_000_000_000L) {
      scheduler.pause();
      pauses++;
    }
    assertThat(pauses).isLessThan(40_000);
  }

  @Test
  void aCancelledTimerDoesNotRunAndARunOneCannotBeCancelled() {
    Timer one = scheduler.schedule(10, () -> log.add("one"));
    Timer two = scheduler.schedule(20, () -> log.add("two"));
    assertThat(two.cancel()).isTrue();
    assertThat(two.cancel()).isFalse();
    for (int i = 0; i < 4; i++) {
      scheduler.pause();
    }
    assertThat(log).containsExactly("one");
    assertThat(one.cancel()).isFalse();
  }

  @Test
  void aTimerThatIsSetAgainAtOnceRunsOncePerPause() {
    int[] runs = new int[1];
    Runnable[] again = new Runnable[1];
    again[0] =
        () -> {
          if (++runs[0] == 1_000) {
            throw new AssertionError("a pause that does not end");
          }
          scheduler.schedule(0, again[0]);
        };
    scheduler.schedule(0, again[0]);
    scheduler.schedule(0, () -> log.add("other"));
    scheduler.pause();
    assertThat(runs[0]).isEqualTo(1);
    assertThat(log).containsExactly("other");
    scheduler.pause();
    assertThat(runs[0]).isEqualTo(2);
  }

  @Test
  void aTimerForTheEndOfTimeKeepsNoOtherWaiting() {
    scheduler.schedule(1, () -> log.add("overdue"));
    wake(budget -> true);
    scheduler.pause();
    assertThat(log).isEmpty();
    scheduler.schedule(Long.MAX_VALUE, () -> log.add("never"));
    scheduler.pause();
    assertThat(log).containsExactly("overdue");
  }

  @Test
  void aTimerCannotBeCancelledFromWithinItself() {
    Timer[] self = new Timer[1];
    boolean[] cancelled = {true};
    self[0] = scheduler.schedule(0, () -> cancelled[0] = self[0].cancel());
    scheduler.pause();
    assertThat(cancelled[0]).isFalse();
  }

  @Test
  void interruptsComeAfterTheTurnsAndOutsideTheLock() {
    wake(
        budget -> {
          log.add("step");
          interruptWaiting = true;
          return false;
        });
    scheduler.pause();
    assertThat(log).containsExactly("step", "interrupt");
  }

  @Test
  void modelsTakeTurns() {
    Scheduler.Turn[] turns = new Scheduler.Turn[3];
    for (int i = 0; i < 3; i++) {
      int id = i;
      turns[i] =
          budget -> {
            log.add("m" + id);
            return log.size() < 7;
          };
      wake(turns[i]);
      wake(turns[i]);
    }
    for (int i = 0; i < 3; i++) {
      scheduler.pause();
    }
    assertThat(log).containsExactly("m0", "m1", "m2", "m0", "m1", "m2", "m0", "m1", "m2");
  }

  @Test
  void theOrderOfTurnsMayBeDrawnFromASeedThatRepeatsIt() {
    assertThat(orderOf(1)).isEqualTo(orderOf(1)).isNotEqualTo(orderOf(2));
  }

  private List<Integer> orderOf(long seed) {
    Scheduler random = new Scheduler(lock, true, 1_000, new Rng(seed), interrupts);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      int id = i;
      lock.enter();
      random.wake(budget -> order.add(id));
      lock.exit();
    }
    for (int i = 0; i < 10; i++) {
      random.pause();
    }
    return order;
  }

  @Test
  void aModelMayPauseAndNobodyIsSteppedWithinAStep() {
    int[] depth = new int[2];
    wake(
        budget -> {
          depth[0]++;
          depth[1] = Math.max(depth[1], depth[0]);
          scheduler.pause();
          depth[0]--;
          return false;
        });
    scheduler.pause();
    assertThat(depth[1]).isEqualTo(1);
  }

  @Test
  void aTimerMayScheduleAndPause() {
    scheduler.schedule(
        1_000,
        () -> {
          log.add("outer");
          scheduler.schedule(1_000, () -> log.add("inner"));
          scheduler.pause();
          scheduler.pause();
        });
    scheduler.pause();
    scheduler.pause();
    assertThat(log).containsExactly("outer", "inner");
  }

  @Test
  void aModelThatWasForgottenGetsNoMoreTurns() {
    Scheduler.Turn other =
        budget -> {
          log.add("other");
          return true;
        };
    wake(
        budget -> {
          log.add("killer");
          scheduler.forget(other);
          return false;
        });
    wake(other);
    scheduler.pause();
    scheduler.pause();
    assertThat(log).containsExactly("killer");
  }

  @Test
  void aFailingModelDoesNotTakeTheTurnsOfTheOthers() {
    wake(
        budget -> {
          throw new IllegalStateException("broken model");
        });
    wake(budget -> log.add("next") && false);
    org.assertj.core.api.Assertions.assertThatThrownBy(scheduler::pause).hasMessage("broken model");
    scheduler.pause();
    assertThat(log).containsExactly("next");
  }

  @Test
  void realTimeRunsByItself() {
    Scheduler real = new Scheduler(lock, false, 1_000, null, interrupts);
    long before = System.nanoTime();
    real.schedule(0, () -> log.add("now"));
    real.pause();
    assertThat(log).containsExactly("now");
    assertThat(real.nanoTime() - before).isNotNegative();
  }

  private void wake(Scheduler.Turn turn) {
    lock.enter();
    scheduler.wake(turn);
    lock.exit();
  }
}

package io.twostep.dma.fake;

import io.twostep.dma.spi.Timers;
import java.util.Comparator;
import java.util.PriorityQueue;

/** A clock that moves to the next task whenever somebody pauses. */
final class FakeTimers implements Timers {
  private record Task(long due, Runnable body) {}

  private final PriorityQueue<Task> tasks = new PriorityQueue<>(Comparator.comparingLong(Task::due));
  private long now;

  @Override
  public long nanoTime() {
    return now;
  }

  @Override
  public Timer schedule(long delayNanos, Runnable body) {
    Task task = new Task(now + delayNanos, body);
    tasks.add(task);
    return () -> tasks.remove(task);
  }

  @Override
  public void pause(int times) {
    Task next = tasks.poll();
    if (next != null) {
      now = next.due();
      next.body().run();
    }
  }
}

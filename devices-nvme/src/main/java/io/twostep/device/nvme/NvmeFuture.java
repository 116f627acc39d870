package io.twostep.device.nvme;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A future whose waiters poll the controller, so that it completes even if nobody else does; so do futures derived from it. */
final class NvmeFuture<T> extends CompletableFuture<T> {
  private final NvmeController controller;

  NvmeFuture(NvmeController controller) {
    this.controller = controller;
  }

  @Override
  public <U> CompletableFuture<U> newIncompleteFuture() {
    return new NvmeFuture<>(controller);
  }

  @Override
  public T join() {
    controller.pollUntil(this::isDone, Long.MAX_VALUE);
    return super.join();
  }

  @Override
  public T get() throws InterruptedException, ExecutionException {
    controller.pollUntil(() -> isDone() || Thread.currentThread().isInterrupted(), Long.MAX_VALUE);
    return super.get();
  }

  @Override
  public T get(long timeout, TimeUnit unit) throws InterruptedException, ExecutionException, TimeoutException {
    controller.pollUntil(() -> isDone() || Thread.currentThread().isInterrupted(), unit.toNanos(timeout));
    return super.get(0, TimeUnit.NANOSECONDS);
  }
}

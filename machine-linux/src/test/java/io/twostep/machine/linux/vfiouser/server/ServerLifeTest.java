package io.twostep.machine.linux.vfiouser.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.machine.linux.vfiouser.CopyDevice;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who may call what of a server, and when. */
@Timeout(60)
class ServerLifeTest {
  @TempDir Path folder;

  private final CountDownLatch closing = new CountDownLatch(1);
  private final CountDownLatch mayClose = new CountDownLatch(1);

  @Test
  void whoComesToServeWhileTheServerIsClosedReturnsAtOnce() throws Exception {
    CopyDevice device = new CopyDevice();
    device.beforeClose(
        () -> {
          closing.countDown();
          await(mayClose);
        });
    VfioUserServer server = VfioUserServer.listen(VfioUserServerConfig.of(folder.resolve("s")), device);
    CompletableFuture<Void> closed = CompletableFuture.runAsync(server::close, ServerLifeTest::start);
    try {
      assertThat(closing.await(20, TimeUnit.SECONDS)).isTrue();
      server.serve();
      assertThat(closed).isNotDone();
    } finally {
      mayClose.countDown();
      closed.join();
    }
  }

  @Test
  void secondThreadIsToldThatAnotherServes() {
    try (VfioUserServer server = VfioUserServer.listen(VfioUserServerConfig.of(folder.resolve("s")), new CopyDevice())) {
      CompletableFuture<Void> first = CompletableFuture.runAsync(server::serve, ServerLifeTest::start);
      CompletableFuture<Void> second = CompletableFuture.runAsync(server::serve, ServerLifeTest::start);
      assertThatThrownBy(() -> CompletableFuture.anyOf(first, second).get(20, TimeUnit.SECONDS)).cause().isInstanceOf(IllegalStateException.class).hasMessageContaining("another thread serves already");
      server.stop();
      assertThat(CompletableFuture.allOf(first.exceptionally(e -> null), second.exceptionally(e -> null))).succeedsWithin(20, TimeUnit.SECONDS);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void start(Runnable task) {
    Thread.ofPlatform().daemon().start(task);
  }
}

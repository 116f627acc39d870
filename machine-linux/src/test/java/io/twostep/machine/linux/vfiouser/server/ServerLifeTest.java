package io.twostep.machine.linux.vfiouser.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.twostep.dma.spi.BusMaster;
import io.twostep.dma.spi.DeviceModel;
import java.nio.file.Path;
import java.util.List;
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
    VfioUserServer server = VfioUserServer.listen(VfioUserServerConfig.of(folder.resolve("s")), new SlowToClose());
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
    mayClose.countDown();
    try (VfioUserServer server = VfioUserServer.listen(VfioUserServerConfig.of(folder.resolve("s")), new SlowToClose())) {
      CompletableFuture<Void> first = CompletableFuture.runAsync(server::serve, ServerLifeTest::start);
      CompletableFuture<Void> second = CompletableFuture.runAsync(server::serve, ServerLifeTest::start);
      assertThatThrownBy(() -> CompletableFuture.anyOf(first, second).get(20, TimeUnit.SECONDS)).cause().isInstanceOf(IllegalStateException.class).hasMessageContaining("another thread serves already");
      server.stop();
      assertThat(CompletableFuture.allOf(first.exceptionally(e -> null), second.exceptionally(e -> null))).succeedsWithin(20, TimeUnit.SECONDS);
    }
  }

  private static void start(Runnable task) {
    Thread.ofPlatform().daemon().start(task);
  }

  /** A device without registers that takes its time to close. */
  private final class SlowToClose implements DeviceModel {
    @Override
    public Identity identity() {
      return new Identity(0x1b36, 0x0777, 0x088000, 3);
    }

    @Override
    public List<BarSpec> bars() {
      return List.of();
    }

    @Override
    public int vectors() {
      return 1;
    }

    @Override
    public void connect(BusMaster bus, Signals signals) {}

    @Override
    public long read(int bar, long offset, int width) {
      return 0;
    }

    @Override
    public void write(int bar, long offset, int width, long value) {}

    @Override
    public void reset() {}

    @Override
    public boolean step(int budget) {
      return false;
    }

    @Override
    public void close() {
      closing.countDown();
      try {
        mayClose.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}

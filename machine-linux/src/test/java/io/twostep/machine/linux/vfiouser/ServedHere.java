package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.DeviceModel;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.util.concurrent.CompletableFuture;

/** A server in this process, on a thread of its own. What it threw is thrown by close. */
public final class ServedHere implements AutoCloseable {
  private final VfioUserServer server;
  private final CompletableFuture<Void> done;

  public ServedHere(VfioUserServerConfig config, DeviceModel model) {
    this(VfioUserServer.listen(config, model));
  }

  /** Serve with a server that listens already, and is closed in the end. */
  public ServedHere(VfioUserServer listening) {
    server = listening;
    done = CompletableFuture.runAsync(server::serve, task -> Thread.ofPlatform().name("server").start(task));
  }

  @Override
  public void close() {
    server.close();
    done.join();
  }
}

package io.twostep.machine.linux.vfiouser;

import io.twostep.dma.spi.DeviceModel;
import io.twostep.machine.linux.vfiouser.server.VfioUserServer;
import io.twostep.machine.linux.vfiouser.server.VfioUserServerConfig;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

/** A server in this process, on a thread of its own. What it threw is thrown by close. */
public final class ServedHere implements AutoCloseable {
  private final VfioUserServer server;
  private final FutureTask<?> served;
  private final Thread thread;

  public ServedHere(VfioUserServerConfig config, DeviceModel model) {
    this(VfioUserServer.listen(config, model));
  }

  /** Serve with a server that listens already, and is closed in the end. */
  public ServedHere(VfioUserServer listening) {
    server = listening;
    served = new FutureTask<>(server::serve, null);
    thread = Thread.ofPlatform().name("server").start(served);
  }

  /** Return once the thread is gone: the next test may look for its own by the same name. */
  @Override
  public void close() {
    try {
      server.close();
    } finally {
      join();
    }
    if (served.state() == Future.State.FAILED) {
      throw new CompletionException(served.exceptionNow());
    }
  }

  private void join() {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}

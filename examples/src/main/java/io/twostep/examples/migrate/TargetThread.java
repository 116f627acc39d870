package io.twostep.examples.migrate;

import io.twostep.device.vfio.MigrationException;
import io.twostep.device.vfio.migrate.GuestControl;
import io.twostep.device.vfio.migrate.MigrationTarget;
import io.twostep.device.vfio.migrate.OwnershipStore;
import io.twostep.device.vfio.migrate.Phase;
import io.twostep.device.vfio.migrate.Spool;
import java.io.IOException;
import java.nio.channels.SocketChannel;

/** Runs the destination: everything it does happens on this thread until that has ended. */
final class TargetThread {
  private final MigrationTarget target;
  private final Thread thread;

  TargetThread(MigrationHost host, SocketChannel channel, OwnershipStore store) {
    target = new MigrationTarget(host.guest, host.devices, channel, channel, store, GuestControl.NONE, Spool.NONE);
    thread = Thread.ofPlatform().name("destination").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** A source that cancels closes the channel, which ends this side. */
  private void run() {
    try {
      while (!target.phase().isEnd()) {
        target.step();
      }
    } catch (MigrationException e) {
      if (target.phase() != Phase.FAILED) {
        throw e;
      }
    }
  }

  /** Wait for the end of this side; {@code channel} is closed if that takes an interrupt. */
  void join(SocketChannel channel) throws IOException {
    try {
      thread.join();
    } catch (InterruptedException e) {
      channel.close();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** Return how it ended; after {@link #join}. */
  Phase phase() {
    return target.phase();
  }
}

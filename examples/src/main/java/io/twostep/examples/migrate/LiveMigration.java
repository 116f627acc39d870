package io.twostep.examples.migrate;

import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.migrate.Checkpoint;
import io.twostep.device.vfio.migrate.FileOwnershipStore;
import io.twostep.device.vfio.migrate.MigrationConfig;
import io.twostep.device.vfio.migrate.MigrationSource;
import io.twostep.device.vfio.migrate.Phase;
import io.twostep.device.vfio.migrate.Progress;
import io.twostep.examples.nvme.ProgressListener;
import io.twostep.examples.temporary.TemporaryPath;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** Moves a busy guest from one machine to another, each with a thread of its own, over TCP on the loopback. */
public final class LiveMigration {
  private static final long SESSION = 1;
  private static final int SOCKET_BYTES = 4 << 20;
  private static final long AFTERWARDS_NANOS = 100_000_000;

  private final MigrateOptions options;
  private final ProgressListener listener;
  private int round;
  private long roundPages;

  private LiveMigration(MigrateOptions options, ProgressListener listener) {
    this.options = options;
    this.listener = listener;
  }

  /** Return the bytes of the temporary folder that a migration needs. */
  public static long temporaryBytes(long memoryBytes) {
    return 2 * (memoryBytes + MigrationHost.EXTRA);
  }

  /**
   * Migrate, or cancel on the way, and check the guest.
   *
   * @throws IOException if the socket or the temporary folder cannot be used
   */
  public static MigrateResult run(MigrateOptions options, ProgressListener listener) throws IOException {
    try (TemporaryPath folder = TemporaryPath.folder("twostep-migrate-");
        MigrationHost near = new MigrationHost(options);
        MigrationHost far = new MigrationHost(options);
        ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        SocketChannel source = SocketChannel.open(server.getLocalAddress());
        SocketChannel target = server.accept()) {
      FileOwnershipStore store = new FileOwnershipStore(folder.path().resolve("ownership"));
      store.create();
      source.setOption(StandardSocketOptions.SO_SNDBUF, SOCKET_BYTES).configureBlocking(false);
      return new LiveMigration(options, listener).run(near, far, source, target, store);
    }
  }

  private MigrateResult run(MigrationHost near, MigrationHost far, SocketChannel out, SocketChannel in, FileOwnershipStore store) throws IOException {
    BusyGuest guest = new BusyGuest(near, options.dirtyRate());
    MigrationConfig config = MigrationConfig.DEFAULT.withDowntimeNanos(options.downtimeNanos());
    MigrationSource source = new MigrationSource(near.guest, near.devices, out, store, near.machine.timers(), guest, config, SESSION, Checkpoint.NONE);
    TargetThread target = new TargetThread(far, in, store);
    target.start();
    try {
      boolean arrived = send(source, guest, out);
      target.join(out);
      if (arrived) {
        guest.follow(far);
        guest.resume();
      }
      MigrationHost home = arrived ? far : near;
      goOn(guest, home);
      boolean wanted = arrived != options.aborts() && target.phase() == (arrived ? Phase.DONE : Phase.FAILED);
      return result(near, far, source.progress(), wanted && guest.isRight(), !arrived, guest.completed());
    } finally {
      // Whatever happened here, the other side sees the end of the stream and ends too.
      out.close();
      target.join(out);
    }
  }

  /** Send, or send until it is to be cancelled; returns whether the guest arrived. */
  private boolean send(MigrationSource source, BusyGuest guest, SocketChannel out) throws IOException {
    while (!source.phase().isEnd()) {
      if (isTimeToAbort(source.progress())) {
        boolean kept = source.cancel();
        out.close();
        return !kept;
      }
      source.step();
      guest.live();
      show(source.progress());
    }
    return source.phase() == Phase.DONE;
  }

  /** What matters is how much of the round is left: later rounds send again what was written meanwhile. */
  private void show(Progress progress) {
    if (progress.rounds() != round) {
      round = progress.rounds();
      roundPages = progress.remainingPages();
    }
    String what = progress.phase() == Phase.PRE_COPY ? "round " + round + "," : "standing still,";
    listener.progress(what, roundPages - progress.remainingPages(), roundPages);
  }

  private boolean isTimeToAbort(Progress progress) {
    if (!options.aborts()) {
      return false;
    }
    long due = options.memoryBytes() / 100 * options.abortPercent();
    return progress.phase() == Phase.STOP_COPY || (options.abortPercent() < 100 && progress.precopyBytes() >= due);
  }

  private static void goOn(BusyGuest guest, MigrationHost home) {
    long start = home.machine.timers().nanoTime();
    while (home.machine.timers().nanoTime() - start < AFTERWARDS_NANOS) {
      guest.live();
    }
  }

  private static MigrateResult result(MigrationHost near, MigrationHost far, Progress progress, boolean verified, boolean aborted, long commands) {
    long pages = near.listedPages() + far.listedPages();
    return new MigrateResult(
        verified,
        aborted,
        progress,
        pages == 0 ? 0 : (double) (near.listBytes() + far.listBytes()) / pages,
        near.iovaAllocations() + far.iovaAllocations(),
        near.invalidations() + far.invalidations(),
        near.devices.getFirst().newDirtySource(WriteTracking.AUTO).by(),
        commands);
  }
}

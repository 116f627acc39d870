package io.twostep.examples.migrate;

import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.guest.GuestWorkload;
import io.twostep.device.vfio.migrate.GuestControl;
import io.twostep.dma.spi.Timers;
import java.util.ArrayList;
import java.util.List;

/** Programs that keep all devices of a guest writing at some rate, wherever the guest is. */
final class BusyGuest implements GuestControl {
  private static final long SEED = 20_260_101;

  private final List<GuestWorkload> workloads = new ArrayList<>();
  private final long rate;
  private long runningNanos;
  private long last;
  private Timers timers;
  private volatile boolean running = true;

  BusyGuest(MigrationHost host, long rate) {
    this.rate = rate;
    long part = host.guest.length() / host.devices.size() & -GuestMemory.PAGE;
    for (int i = 0; i < host.devices.size(); i++) {
      workloads.add(new GuestWorkload(host.guest, host.devices.get(i).guestRegisters(), i * part, part, SEED + i));
    }
    timers = host.machine.timers();
    last = timers.nanoTime();
  }

  /** Submit what is due by now, and let the devices work. */
  void live() {
    long now = timers.nanoTime();
    if (running) {
      runningNanos += now - last;
      long due = (long) (rate * (runningNanos / 1e9) / workloads.size());
      workloads.forEach(workload -> workload.work(due));
    }
    last = now;
    timers.pause();
  }

  /** Go on on another machine. */
  void follow(MigrationHost host) {
    timers = host.machine.timers();
    last = timers.nanoTime();
    for (int i = 0; i < workloads.size(); i++) {
      workloads.get(i).move(host.guest, host.devices.get(i).guestRegisters());
    }
  }

  @Override
  public void pause() {
    running = false;
  }

  @Override
  public void resume() {
    running = true;
  }

  long completed() {
    return workloads.stream().mapToLong(GuestWorkload::completed).sum();
  }

  /** Let all that is under way finish, and tell whether every page and every command is as it has to be. */
  boolean isRight() {
    for (GuestWorkload workload : workloads) {
      while (workload.drain()) {
        timers.pause();
      }
    }
    return workloads.stream().allMatch(workload -> workload.mistakes() == 0);
  }
}

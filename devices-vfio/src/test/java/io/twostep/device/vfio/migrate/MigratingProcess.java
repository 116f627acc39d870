package io.twostep.device.vfio.migrate;

import io.twostep.device.vfio.WriteTracking;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;

/** A process with both sides of a migration, to be killed at any moment: a line for each step, and everything that outlives it in a folder. */
final class MigratingProcess {
  static final long GUEST = 128 << 10;
  static final ModelConfig MODEL = ModelConfig.DEFAULT.withInternalPages(4);
  static final String END = "end";

  private static final MigrationConfig CONFIG = new MigrationConfig(0, 4, 16384, WriteTracking.IOMMU, false);

  private MigratingProcess() {}

  /** Migrate within the folder that is given, once; then wait to be killed. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    try (Kept.InFiles files = new Kept.InFiles(folder);
        Host near = new Host(1, "normal", GUEST, 1, MODEL);
        Host far = new Host(2, "normal", GUEST, 1, MODEL)) {
      CountedGuest program = new CountedGuest(near.guest);
      program.start();
      CheckpointWriter.write(near.guest, near.devices, files.store(), GuestControl.NONE, files.newCheckpoint());
      System.out.println("kept");
      MemoryPipe pipe = new MemoryPipe(20_000);
      boolean[] running = {true};
      GuestControl control =
          new GuestControl() {
            @Override
            public void pause() {
              running[0] = false;
            }

            @Override
            public void resume() {
              running[0] = true;
            }
          };
      MigrationSource source = new MigrationSource(near.guest, near.devices, pipe.near(), files.store(), near.machine.timers(), control, CONFIG, 1, files.newCheckpoint());
      MigrationTarget target = new MigrationTarget(far.guest, far.devices, pipe.far(), pipe.far(), files.store(), GuestControl.NONE, files.newSpool());
      while (!(source.phase().isEnd() && target.phase().isEnd())) {
        source.step();
        System.out.println("source " + source.phase());
        target.step();
        System.out.println("destination " + target.phase());
        if (running[0]) {
          program.work();
        }
      }
      System.out.println(END);
      if (System.in.read() >= 0) {
        throw new IllegalStateException("nobody speaks to this process");
      }
    }
  }
}

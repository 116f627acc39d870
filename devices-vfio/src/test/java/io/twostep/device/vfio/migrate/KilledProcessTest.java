package io.twostep.device.vfio.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.backend.iommu.IommuBackend;
import io.twostep.backend.p2p.P2pBackend;
import io.twostep.device.vfio.Seeds;
import io.twostep.device.vfio.fixture.Host;
import io.twostep.device.vfio.guest.GuestMemory;
import io.twostep.device.vfio.guest.GuestQueue;
import io.twostep.device.vfio.migrate.Ownership.Side;
import io.twostep.device.vfio.migrate.Verdict.Answer;
import io.twostep.device.vfio.wire.CommandLayout;
import io.twostep.dma.DmaMapper;
import io.twostep.dma.spi.Mmio;
import io.twostep.machine.model.ModelMachine;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Processes that are really killed, both sides of a migration at once: their files alone start the guest again, on one side. {@code -Dtwostep.processes=100} for the long run. */
class KilledProcessTest {
  private static final int PROCESSES = Integer.getInteger("twostep.processes", 4);
  private static final int MOST_LINES = 70;

  @TempDir Path work;

  @Test
  void theFilesOfAKilledProcessStartTheGuestOnOneSide() throws IOException, InterruptedException {
    SplittableRandom random = new SplittableRandom(Seeds.SEED);
    for (int i = 0; i < PROCESSES; i++) {
      Path folder = work.resolve("process" + i);
      List<String> lines = kill(folder, i == 0 ? MOST_LINES : i == 1 ? 1 : 2 + random.nextInt(MOST_LINES - 1));
      String when = "killed after " + lines.size() + " lines, " + lines.getLast() + ", " + Seeds.repeat(Seeds.SEED);
      try (Kept.InFiles files = new Kept.InFiles(folder);
          Host host = new Host(3, "normal", MigratingProcess.GUEST, 1, MigratingProcess.MODEL)) {
        start(files, host, random, when);
        CountedGuest program = new CountedGuest(host.guest);
        assertThat(program.isOfOneMoment()).as("memory of one moment, %s", when).isTrue();
        assertThat(program.done() > 0).as("work of the guest after what was kept first, %s", when).isEqualTo(isOfTheMigration(files));
        requireWork(host, when);
      }
    }
  }

  /** Return the lines that a process said before it was killed. */
  private static List<String> kill(Path folder, int after) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-Dslf4j.internal.verbosity=ERROR",
                "-cp",
                classPath(),
                MigratingProcess.class.getName(),
                folder.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    List<String> lines = new ArrayList<>();
    try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
      String line = "";
      while (lines.size() < after && !line.equals(MigratingProcess.END)) {
        line = Objects.requireNonNull(out.readLine(), "the process ended by itself");
        lines.add(line);
      }
      process.destroyForcibly();
    }
    assertThat(process.waitFor()).as("what a killed process returns").isNotZero();
    return lines;
  }

  /** Where this process has what the other one needs, whoever loaded it. */
  private static String classPath() {
    return Stream.of(MigratingProcess.class, MigrationSource.class, DmaMapper.class, ModelMachine.class, IommuBackend.class, P2pBackend.class, Assertions.class, LoggerFactory.class)
        .map(type -> Path.of(URI.create(type.getProtectionDomain().getCodeSource().getLocation().toString())).toString())
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
  }

  private static void start(Kept.InFiles files, Host host, SplittableRandom random, String when) throws IOException {
    Verdict verdict = Recovery.assess(files.store(), files.checkpoint(), files.spool());
    assertThat(verdict.resumable()).as("%s, %s", verdict.explain(), when).isNotEmpty();
    boolean far = !verdict.resumable().contains(Side.SOURCE) || (verdict.resumable().contains(Side.DESTINATION) && random.nextBoolean());
    boolean claim = verdict.answer() == Answer.UNRESOLVED;
    if (far) {
      Recovery.resumeDestination(host.guest, host.devices, Objects.requireNonNull(files.spool()), files.store(), GuestControl.NONE, claim);
    } else {
      Recovery.resumeSource(host.guest, host.devices, Objects.requireNonNull(files.checkpoint()), files.store(), GuestControl.NONE, claim);
    }
    Verdict after = Recovery.assess(files.store(), files.checkpoint(), files.spool());
    assertThat(after.answer()).as("%s, %s", after.explain(), when).isEqualTo(far ? Answer.DESTINATION : Answer.SOURCE);
  }

  /** Tell whether the guest was started from what the migration kept, not from what was kept before it. */
  private static boolean isOfTheMigration(Kept.InFiles files) throws IOException {
    return files.store().read().holder() == Side.DESTINATION || Objects.requireNonNull(StoredGuest.inspect(Objects.requireNonNull(files.checkpoint()))).session() != 0;
  }

  /** The device works. */
  private static void requireWork(Host host, String when) {
    Mmio registers = host.devices.getFirst().guestRegisters();
    GuestQueue queue = new GuestQueue(host.guest, registers, 0, host.guest.length() - GuestMemory.PAGE, 16);
    queue.start();
    assertThat(queue.trySubmit(CommandLayout.FILL, 1, 0, GuestMemory.PAGE, GuestMemory.PAGE, 7)).isTrue();
    for (int i = 0; i < 1000 && queue.waiting() != 0; i++) {
      host.machine.timers().pause();
      queue.poll((id, status) -> assertThat(status).isEqualTo(CommandLayout.SUCCESS));
    }
    assertThat(queue.waiting()).as("commands that are not done, %s", when).isZero();
  }
}

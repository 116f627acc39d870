package io.twostep.examples;

import static io.twostep.examples.ChildProcess.place;
import static io.twostep.examples.ChildProcess.tool;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A command that is told to end in the middle of its work. */
class InterruptedCommandTest {
  private static final int ENDED_BY_SIGTERM = 143;

  @TempDir Path temporary;
  @TempDir Path work;
  private final Deque<WatchEvent<?>> events = new ArrayDeque<>();

  @Test
  void leavesNoTemporaryFilesAndNoStackTrace() throws Exception {
    String modules = System.getProperty("jdk.module.path");
    assumeTrue(modules != null, "only a build that runs tests on the module path has modules to start");
    Path file = Files.write(work.resolve("file"), new byte[32 << 20]);
    String places = String.join(File.pathSeparator, modules, place(Twostep.class));
    try (WatchService watch = temporary.getFileSystem().newWatchService()) {
      temporary.register(watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE);
      Process process =
          new ProcessBuilder(
                  tool("java"), "-Djava.io.tmpdir=" + temporary, "-Dguice_custom_class_loading=CHILD", "--enable-native-access=ALL-UNNAMED", "-p", places, "-m",
                  "io.twostep.examples/" + Twostep.class.getName(), "nvme", file.toString())
              .redirectErrorStream(true)
              .start();
      // A machine's memory is a file for a moment, that is gone for good once it is open: a process that ends in that moment leaves it.
      awaitEvent(watch, StandardWatchEventKinds.ENTRY_CREATE, "twostep-namespace-");
      awaitEvent(watch, StandardWatchEventKinds.ENTRY_DELETE, "twostep-ram-");
      process.toHandle().destroy();
      assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).isEmpty();
      assertThat(process.waitFor()).isEqualTo(ENDED_BY_SIGTERM);
    }
    assertThat(temporary).isEmptyDirectory();
  }

  private void awaitEvent(WatchService watch, WatchEvent.Kind<?> kind, String name) throws Exception {
    while (true) {
      while (events.isEmpty()) {
        WatchKey key = watch.poll(60, TimeUnit.SECONDS);
        assertThat(key).as("%s of %s", kind, name).isNotNull();
        events.addAll(key.pollEvents());
        key.reset();
      }
      WatchEvent<?> event = events.removeFirst();
      if (event.kind() == kind && event.context().toString().startsWith(name)) {
        return;
      }
    }
  }
}

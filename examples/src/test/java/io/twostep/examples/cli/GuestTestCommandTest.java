package io.twostep.examples.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.twostep.examples.ChildProcess;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchService;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code twostep guest-test}, in a process of its own, with a script in the place of the one that boots a guest. */
@Timeout(600)
class GuestTestCommandTest {
  @TempDir Path home;

  private void script(String text) throws Exception {
    Path guest = home.resolve("examples/guest");
    Files.createDirectories(guest.resolve("target"));
    Files.writeString(guest.resolve("target/guest.classpath"), "");
    Path script = Files.writeString(guest.resolve("guest-test"), "#!/bin/sh\n" + text);
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private ProcessBuilder command() throws Exception {
    return ChildProcess.twostep(List.of("-Dtwostep.home=" + home), "guest-test");
  }

  @Test
  void whoEndsTheCommandEndsTheGuest() throws Exception {
    Path ended = home.resolve("ended");
    Path guest = Files.writeString(home.resolve("guest"), "trap 'mkdir " + ended + "; exit' TERM\necho $$\nsleep 1000 &\nwait\n");
    script("sh " + guest + " &\nwait\n");
    Process command = command().start();
    try (WatchService watch = home.getFileSystem().newWatchService();
        BufferedReader out = new BufferedReader(new InputStreamReader(command.getInputStream(), StandardCharsets.UTF_8))) {
      ProcessHandle running = ProcessHandle.of(Long.parseLong(out.readLine())).orElseThrow();
      home.register(watch, StandardWatchEventKinds.ENTRY_CREATE);
      try {
        command.toHandle().destroy();
        assertThat(command.waitFor()).as("ended by SIGTERM").isEqualTo(143);
        assertThat(Files.exists(ended) || watch.poll(30, TimeUnit.SECONDS) != null).as("the guest was told to end").isTrue();
      } finally {
        running.descendants().forEach(ProcessHandle::destroy);
        running.destroy();
      }
    } finally {
      command.destroyForcibly().waitFor();
    }
  }

  @Test
  void theStatusIsTheScripts() throws Exception {
    script("exit 3\n");
    assertThat(command().start().waitFor()).isEqualTo(3);
  }
}

package io.twostep.machine.linux.pci;

import io.twostep.machine.linux.HostPaths;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

/** Tells which processes have a file open, as far as this process may look: root sees all, others their own. */
public final class FileHolders {
  private static final Pattern PROCESS = Pattern.compile("[0-9]+");

  private FileHolders() {}

  /** Return who has a file open, such as {@code process 4711 (java)}; none where nobody has, or nobody who may be looked at. */
  public static List<String> of(HostPaths paths, Path file) {
    return SysfsText.names(paths.proc()).stream()
        .filter(name -> PROCESS.matcher(name).matches() && holds(paths.proc().resolve(name).resolve("fd"), file))
        .map(name -> "process " + name + " (" + SysfsText.read(paths.proc().resolve(name).resolve("comm")) + ")")
        .toList();
  }

  private static boolean holds(Path descriptors, Path file) {
    return SysfsText.names(descriptors).stream().anyMatch(number -> SysfsText.linkTarget(descriptors.resolve(number)).equals(file.toString()));
  }
}

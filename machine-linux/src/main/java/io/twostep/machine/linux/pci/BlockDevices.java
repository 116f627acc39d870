package io.twostep.machine.linux.pci;

import io.twostep.machine.linux.HostPaths;
import io.twostep.machine.linux.SystemCallException;
import io.twostep.machine.linux.kernel.Kernel;
import io.twostep.machine.linux.kernel.OpenFlags;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Block devices of a PCI function, partitions included, and what the kernel has put on them. */
public final class BlockDevices {
  /** A path of a multipath namespace: the kernel shows the namespace itself as a device of no function. */
  private static final Pattern NVME_PATH = Pattern.compile("nvme(\\d+)c\\d+n(\\d+)");

  private BlockDevices() {}

  /** Return the names of a function's block devices, but for those that nobody can open. */
  public static Set<String> of(HostPaths paths, String address) {
    Set<String> found = new TreeSet<>();
    Path classes = paths.sys().resolve("class/block");
    String function = real(paths.function(address));
    for (String name : SysfsText.names(classes)) {
      if (real(classes.resolve(name)).startsWith(function + "/") && !SysfsText.read(classes.resolve(name).resolve("hidden")).equals("1")) {
        found.add(name);
      }
    }
    for (String controller : SysfsText.names(paths.function(address).resolve("nvme"))) {
      for (String name : SysfsText.names(paths.function(address).resolve("nvme").resolve(controller))) {
        Matcher path = NVME_PATH.matcher(name);
        if (path.matches()) {
          String whole = "nvme" + path.group(1) + "n" + path.group(2);
          SysfsText.names(classes).stream().filter(n -> n.equals(whole) || n.startsWith(whole + "p")).forEach(found::add);
        }
      }
    }
    return found;
  }

  /** Return where a block device is mounted, by its number. */
  public static List<String> mounts(HostPaths paths, String block) {
    String number = SysfsText.read(paths.sys().resolve("class/block").resolve(block).resolve("dev"));
    List<String> places = new ArrayList<>();
    for (String line : SysfsText.lines(paths.proc().resolve("self/mountinfo"))) {
      String[] words = line.split(" ", -1);
      if (words.length > 4 && (words[2].equals(number) || line.contains(" /dev/" + block + " "))) {
        places.add(words[4]);
      }
    }
    return places;
  }

  /** Return the devices that are built on a block device. */
  public static List<String> holders(HostPaths paths, String block) {
    return SysfsText.names(paths.sys().resolve("class/block").resolve(block).resolve("holders"));
  }

  /** Tell whether two block devices are the same, or one is a partition of the other. */
  public static boolean overlap(HostPaths paths, String one, String other) {
    Path classes = paths.sys().resolve("class/block");
    String first = real(classes.resolve(one)) + "/";
    String second = real(classes.resolve(other)) + "/";
    return first.startsWith(second) || second.startsWith(first);
  }

  /**
   * Open a block device for reading, exclusively, and close it again; returns the error number, 0 if that went well.
   *
   * <p>It is the one question that the kernel answers for all who hold a device, also for those of whom sysfs does not tell: whoever mounts, swaps to, builds on or pools a device has opened it exclusively. Nothing is read.
   */
  public static int openExclusively(Kernel kernel, HostPaths paths, String block) {
    try {
      kernel.close(kernel.open(paths.dev().resolve(block.replace('!', '/')).toString(), OpenFlags.READ_ONLY | OpenFlags.EXCLUSIVE));
      return 0;
    } catch (SystemCallException e) {
      return e.errno();
    }
  }

  private static String real(Path path) {
    try {
      return path.toRealPath().toString();
    } catch (IOException e) {
      return path.toString();
    }
  }
}

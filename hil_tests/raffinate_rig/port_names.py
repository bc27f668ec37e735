"""Names that MicroPython has in ROM: using one for something else costs a board no heap.

Measured on the Unix port 1.28 (`micropython.qstr_info` before and after a name was compiled). A
port that lacks some of them pays for these as for any other name. Names that the compiler knows,
such as `const`, are left out.
"""

from __future__ import annotations

_NAMES = """
AF_INET AF_INET6 AF_UNIX ARRAY AUTO B1000000 B115200 B1152000 B230400 B460800 B500000 B57600
B576000 B921600 B9600 BFINT16 BFINT32 BFINT8 BFUINT16 BFUINT32 BFUINT8 BF_LEN BF_POS BIG_ENDIAN
BytesIO CERT_NONE Connection DeflateIO E EACCES EADDRINUSE EAGAIN EALREADY EBADF ECONNABORTED
ECONNREFUSED ECONNRESET EEXIST EHOSTUNREACH EINPROGRESS EINVAL EIO EISDIR ENOBUFS ENODEV ENOENT
ENOMEM ENOTCONN EOPNOTSUPP EPERM ETIMEDOUT Error Event FLOAT32 FLOAT64 FileIO FrameBuffer
FrameBuffer1 GET GS2_HMSB GS4_HMSB GS8 GZIP Host INT INT16 INT32 INT64 INT8 IOBase LONG LONGLONG
Lock LockType MONO_HLSB MONO_HMSB MONO_VLSB MSG_DONTWAIT MSG_PEEK MVLSB N NATIVE NoneType
OrderedDict POLLERR POLLHUP POLLIN POLLOUT PTR PinBase RAW RGB565 Response RingIO SHORT SOCK_DGRAM
SOCK_RAW SOCK_STREAM SOL_SOCKET SO_BROADCAST SO_ERROR SO_KEEPALIVE SO_LINGER SO_REUSEADDR
SSLContext SSLSocket Server Signal Stream StreamReader StreamWriter StringIO TCSANOW Task
TaskQueue UINT UINT16 UINT32 UINT64 UINT8 ULONG ULONGLONG USHORT VOID VfsFat VfsLfs1 VfsLfs2
VfsPosix VfsRom ZLIB a a2b_base64 accept aclose acos acosh acquire action add add_argument
addressof aes append appendleft arg args argv array asin asinh atan atan2 atanh atexit attr auth
aw awrite b2a_base64 backlog big binascii bind blit branch buf buffer buffering builtins
bytearray_at byteorder bytes_at cadata cafile calcsize cancel cb ceil center cert cert_reqs
certfile chdir choice cipher clear client_id clock close closure cmath code collect collections
connect content context copy copysign core coro cos cosh count crc32 create_task cryptolib
current_task data decode decrypt default deflate degrees delete deleter deque description dest
difference digest disable discard do_handshake do_install doc done drain dump dumps e ellipse
enable encode encoding encrypt end endswith erf erfc errno errorcode event exc exc_info exc_type
exception execfile executable exp expm1 extend f fabs factorial file fileno fill fill_rect find
flags floor flush fmod framebuf frexp from_bytes fromhex fromkeys full function future gamma
gather gc generator get get_ciphers get_ident getaddrinfo getcwd getenv getrandbits getter gmtime
group handler hashlib head headers heap_lock heap_unlock heapify heappop heappush heapq hexlify
hline host idle ilistdir imag index indices inet_ntop inet_pton inf insert install intersection
invert io ioctl ipoll is_set isalpha isclose isdigit isdisjoint isenabled isfinite isinf islower
isnan isspace issubset issuperset isupper items iterable iterator join json kbd_intr keepends key
keyfile keys latest ldexp length lgamma libc_ver line listdir listen little load loads localtime
lock locked log log10 log2 lookahead loop lower lstrip main makefile match math maxsize md5 mem
mem16 mem32 mem8 mem_alloc mem_current mem_free mem_info mem_peak mem_total message method mkdir
mkfs mktime mode modf modify module modules mount mpy mtime n name namedtuple names nan nargs
newline off on opt opt_level opt_names optname os out_buf pack pack_into package parse parse_args
partition patch path peek ph_key phase pi pixel platform polar poll poller poly pop popitem
popleft port pos post preview progsize ps1 ps2 ptr ptr16 ptr32 ptr8 push put putenv py qstr_info r
radians randint random randrange raw rb re read readblocks readexactly readinto readline readlines
readonly readsize real reason rect recv recv_into recvfrom register release remove rename replace
req request requesting requests reverse rfind rindex rmdir rpartition rsplit rstrip run
run_forever runq_len s schedule scroll search seed seek select self send sendall sendto sep
separators server_side set_ciphers setblocking setdefault setraw setsockopt setter settimeout sha1
sha256 short_hash signed sin single sinh sizeof sleep sleep_ms sleep_us sock sockaddr socket
soft_reset sort split splitlines sqrt src ssl stack_size stack_use start start_server startswith
stat state statvfs stderr stdin stdout step stop store stream strip struct sub sync sys system t
tan tanh target task tau tb tcgetattr tcsetattr tell termios text threshold throw ticks ticks_add
ticks_cpu ticks_diff ticks_ms ticks_us time time_ns timeout tls to_bytes trunc uctypes uint umount
unhexlify uniform union unlink unpack unpack_from unregister unsafe unsetenv update upper urandom
url usage v val value values verify_mode version version_info vfs vline wait wait_closed wait_for
wait_for_ms waiter waiting waitq_len wb websocket wrap_socket write writeblocks
"""

PORT_NAMES = tuple(_NAMES.split())

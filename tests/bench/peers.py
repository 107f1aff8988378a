"""What the vault is compared with: nginx serving 500 static bytes over mutual TLS, and pgbench -S."""
import os
import re
import shutil
import socket
import subprocess
import time

import vault as e2e

NGINX = """daemon off; worker_processes {workers}; pid {folder}/nginx.pid; error_log stderr error;{user}
events {{ worker_connections 2048; }}
http {{
    access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port} ssl; root {folder}/html; open_file_cache max=16; open_file_cache_valid 600s;
        ssl_protocols TLSv1.3; ssl_session_tickets off;
        ssl_certificate {certs}/server.pem; ssl_certificate_key {certs}/server.key;
        ssl_client_certificate {certs}/ca.pem; ssl_verify_client on;
    }}
}}
"""


class Nginx:
    def __init__(self, folder, certs):
        self.port = e2e.free_port()
        os.makedirs(f"{folder}/html", exist_ok=True)
        with open(f"{folder}/html/index.html", "w", encoding="ascii") as f:
            f.write("x" * 500)
        user = " user root;" if os.getuid() == 0 else ""
        with open(f"{folder}/nginx.conf", "w", encoding="ascii") as f:
            f.write(NGINX.format(workers=os.cpu_count(), folder=folder, port=self.port, certs=certs, user=user))
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
        if not program:
            raise RuntimeError("nginx is not installed (Debian package nginx-light)")
        self.process = subprocess.Popen([program, "-p", folder, "-c", f"{folder}/nginx.conf"])
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self):
        for _ in range(100):
            if self.process.poll() is not None:
                raise RuntimeError("nginx did not start")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("nginx does not listen")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Pgbench:
    """pgbench's own tables, scale 10, in a database of their own in the vault's cluster."""

    def __init__(self, binaries, superuser_url, data):
        self.pgbench = f"{binaries}/pgbench"
        self._sql(binaries, superuser_url, "DROP DATABASE IF EXISTS bench_select")
        self._sql(binaries, superuser_url, "CREATE DATABASE bench_select")
        self._trust_locally(binaries, superuser_url, data)
        self.url = re.sub(r"dbname=\S+", "dbname=bench_select", superuser_url)
        subprocess.run([self.pgbench, "-i", "-q", "-s", "10", self.url], check=True, capture_output=True, timeout=120)

    def _trust_locally(self, binaries, url, data):
        """No password for pgbench's own database on the cluster's unix socket, whose folder is its owner's alone: 256
        logins by SCRAM keep two cores busy for seconds."""
        path = os.path.join(data, "pg_hba.conf")
        with open(path, encoding="utf-8") as f:
            rules = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write("local bench_select postgres trust\n" + rules)
        self._sql(binaries, url, "SELECT pg_reload_conf()")

    @staticmethod
    def _sql(binaries, url, statement):
        subprocess.run([f"{binaries}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement, url], check=True,
                       timeout=60, stdout=subprocess.DEVNULL)

    def select(self, clients, seconds):
        """Transactions a second over the last `seconds`: logging 256 clients in takes a while and a new backend is slow
        at first, and neither is what the vault is compared with."""
        seconds = max(2, round(seconds))
        for grace in (2, 10, 30):
            total = seconds + grace + round(clients * 0.01)
            command = [self.pgbench, "-S", "-M", "prepared", "-n", "-c", str(clients), "-j", str(min(clients, os.cpu_count())),
                       "-P", "1", "-T", str(total), self.url]
            done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=total + 60)
            lines = [float(tps) for tps in re.findall(r"^progress: [0-9.]+ s, ([0-9.]+) tps", done.stderr, re.M)]
            if len(lines) >= seconds and min(lines[-seconds:]) > 0:
                return sum(lines[-seconds:]) / seconds
        raise RuntimeError(f"pgbench with {clients} clients had no {seconds} s of steady work: {done.stderr[-300:]}")

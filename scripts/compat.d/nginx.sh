# For subjects that need a web server: its configuration, its start (in a command substitution, as scripts do) and its end.
mkdir -p www tmp
cat > nginx.conf << CONF
worker_processes 2;
pid $PWD/nginx.pid;
error_log $PWD/error.log notice;
events { worker_connections 256; }
http {
    access_log $PWD/access.log;
    client_body_temp_path $PWD/tmp/b; proxy_temp_path $PWD/tmp/p; fastcgi_temp_path $PWD/tmp/f; uwsgi_temp_path $PWD/tmp/u; scgi_temp_path $PWD/tmp/s;
    sendfile on; gzip on; gzip_types *; open_file_cache max=100;
    server { listen 127.0.0.1:$PORT; listen [::1]:$PORT; root $PWD/www;
             location /up { proxy_pass http://127.0.0.1:$PORT/s; }
             location /old { return 301 /s; } }
}
user root;
CONF
trap '[ ! -f nginx.pid ] || kill "$(cat nginx.pid)" 2> /dev/null; exit 143' TERM
start_nginx() {
    out=$(/usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf" 2>&1); echo "started $? $out"
}
quit_nginx() {
    pid=$(cat nginx.pid); nginx -p "$PWD" -c "$PWD/nginx.conf" -s quit; echo "quit $?"
    i=0; while kill -0 "$pid" 2> /dev/null && [ $i -lt 100 ]; do i=$((i + 1)); sleep 0.1; done
    kill -0 "$pid" 2> /dev/null && echo "still there"; grep -E 'alert|crit|emerg|exited on signal' error.log; ls nginx.pid 2> /dev/null; true
}
